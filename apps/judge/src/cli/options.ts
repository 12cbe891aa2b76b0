/** The options of `skein-judge`: read, checked, and explained in its usage. */
import type { WorkerLog } from '@skein/jobs';
import { SkeinError } from '@skein/api';
import {
  choice,
  flag,
  integer,
  text,
  value,
  withDefault,
  type OptionValues,
} from '@skein/cli/command-line';
import { isCalendarDay } from '../calendar-day.ts';
import { JUDGE_DRIVERS } from '../judging/drivers.ts';

export interface Terminal {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly signal: AbortSignal;
}

export type Command = (
  operands: readonly string[],
  options: CommandOptions,
  terminal: Terminal,
) => Promise<number>;

export const JUDGE_OPTIONS = {
  json: flag('One JSON object per event, the report last.'),
  strict: flag('Of verify: every warning is an error, and so is what cannot be checked here.'),
  driver: choice(JUDGE_DRIVERS, 'Sandbox; default: the first that works here.'),
  image: text('IMAGE', 'Root file system of the sandbox.'),
  language: text('CODE', 'Of the submission; default: by its files.'),
};

export const SERVICE_OPTIONS = {
  problems: text('FOLDER', 'Packages to serve; default: problems, or else the examples.'),
  data: withDefault(text('FOLDER', 'What the judge keeps.'), '.skein-judge'),
  redis: text('URL', 'Join a fleet: its jobs.'),
  blobs: text('PLACE', 'Join a fleet: its bucket (s3://… or gs://…) or shared folder.'),
  namespace: withDefault(text('NAME', 'Of the jobs in the Redis.'), 'fleet'),
  host: withDefault(text('ADDRESS', 'Where the service listens.'), '127.0.0.1'),
  port: withDefault(integer('N', 'Its port.', [0, 65_535]), '4710'),
  workers: value('N|none', 'Submissions judged here at once; default: cores less one.', (given) =>
    given === 'none' ? given : wholeNumber(given),
  ),
  rate: integer('N', 'Submissions of a user per minute; default: 10.', [1, 100_000]),
  start: value('INSTANT', 'When penalties begin; default: the first submission.', instant),
  name: text('NAME', 'Of a worker, in lists.'),
  lease: value('S', 'Of a worker: seconds until its jobs go to others.', milliseconds),
  grace: value('S', 'Of a worker: seconds for what runs to end.', milliseconds),
  log: choice(['pretty', 'json', 'off'], 'Default: pretty on a terminal, else json.'),
  admin: flag('Of users add: an admin.'),
};

export type CommandOptions = OptionValues<typeof JUDGE_OPTIONS & typeof SERVICE_OPTIONS>;

function wholeNumber(given: string): number {
  const number = Number(given);
  if (Number.isInteger(number) && number >= 1 && number <= 1024) return number;
  throw new Error(`"${given}" is neither a whole number from 1 to 1024 nor none`);
}

function instant(given: string): number {
  const time = Date.parse(given);
  if (!Number.isNaN(time) && (!/^\d{4}-\d\d-\d\d/.test(given) || isCalendarDay(given))) return time;
  throw new Error(`"${given}" is not an instant such as 2026-05-01T09:00:00Z`);
}

function milliseconds(given: string): number {
  const seconds = Number(given);
  if (seconds >= 1 && seconds <= 3600) return seconds * 1000;
  throw new Error(`"${given}" is not a number of seconds from 1 to 3600`);
}

export interface Fleet {
  readonly redis: string;
  readonly blobs: string;
  readonly namespace: string;
}

/** @throws SkeinError USAGE when one of the two is missing. */
export function fleetOf({ redis, blobs, namespace }: CommandOptions): Fleet | undefined {
  if (redis === undefined && blobs === undefined) return undefined;
  if (redis === undefined || blobs === undefined) {
    throw new SkeinError(
      'USAGE',
      `A fleet is a Redis and a place for artifacts: --${redis === undefined ? 'redis URL' : 'blobs PLACE'} is missing.`,
    );
  }
  return { redis, blobs, namespace };
}

/** On a terminal for people, else one JSON object per line. */
export async function logOf({ log }: CommandOptions, isTTY: boolean): Promise<WorkerLog> {
  // It brings the job plane, which only the service needs.
  const { createLogger } = await import('@skein/server');
  const logger = createLogger(log ?? (isTTY ? 'pretty' : 'json'));
  return (level, message, details) => logger[level](details ?? {}, message);
}
