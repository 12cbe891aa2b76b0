/** Options of the commands that run the service, read and checked. */
import { SkeinError } from '@skein/api';
import { createLogger } from '@skein/server';
import type { WorkerLog } from '@skein/jobs';
import { JUDGE_DRIVERS, type JudgeDriver } from '../judging/drivers.ts';
import type { CommandOptions } from './run.ts';

export interface Fleet {
  readonly redis: string;
  readonly blobs: string;
  readonly namespace: string;
}

/** Default data folder of a judge. */
export const DATA_FOLDER = '.skein-judge';
const NAMESPACE = 'fleet';

/** @throws SkeinError USAGE when one of the two is missing. */
export function fleetOf({ redis, blobs, namespace }: CommandOptions): Fleet | undefined {
  if (redis === undefined && blobs === undefined) return undefined;
  if (redis === undefined || blobs === undefined) {
    throw new SkeinError(
      'USAGE',
      `A fleet is a Redis and a place for artifacts: --${redis === undefined ? 'redis URL' : 'blobs PLACE'} is missing.`,
    );
  }
  return { redis, blobs, namespace: namespace ?? NAMESPACE };
}

/** @throws SkeinError USAGE. */
export function driverOf({ driver }: Pick<CommandOptions, 'driver'>): JudgeDriver | undefined {
  const known = JUDGE_DRIVERS.find((name) => name === driver);
  if (driver === undefined || known !== undefined) return known;
  throw new SkeinError(
    'USAGE',
    `--driver ${driver}: nothing judges but ${JUDGE_DRIVERS.join(' and ')}.`,
  );
}

/** @throws SkeinError USAGE. */
export function integer(option: string, given: string | undefined, least: number, most: number) {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new SkeinError('USAGE', `--${option} ${given}: a whole number from ${least} to ${most}.`);
}

/** Seconds on the command line, milliseconds in here. @throws SkeinError USAGE. */
export function secondsOf(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (value >= 1 && value <= 3600) return value * 1000;
  throw new SkeinError('USAGE', `--${option} ${given}: seconds, from 1 to 3600.`);
}

/** On a terminal for people, else one JSON object per line. @throws SkeinError USAGE. */
export function logOf({ log }: CommandOptions, isTTY: boolean): WorkerLog {
  const format = log ?? (isTTY ? 'pretty' : 'json');
  if (format !== 'pretty' && format !== 'json' && format !== 'off') {
    throw new SkeinError('USAGE', `--log ${format}: pretty, json or off.`);
  }
  const logger = createLogger(format);
  return (level, message, details) => logger[level](details ?? {}, message);
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
