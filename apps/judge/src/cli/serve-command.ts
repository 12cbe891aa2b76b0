/** `skein-judge serve`: the judge, with its API and its page, until Ctrl-C. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SkeinError } from '@skein/api';
import { type RunningJudge, serveJudge } from '../service/serve.ts';
import type { CommandOptions, Terminal } from './run.ts';
import { DATA_FOLDER, driverOf, fleetOf, integer, logOf, untilAborted } from './service-options.ts';

const PORT = 4710;
const EXAMPLES = fileURLToPath(new URL('../../problems', import.meta.url));

export async function runServe(
  operands: readonly string[],
  options: CommandOptions,
  { stdout, stderr, signal }: Terminal,
): Promise<number> {
  if (operands.length > 0) throw new SkeinError('USAGE', `serve takes no ${operands[0]}.`);
  const { workers, start } = options;
  const judge = await serveJudge({
    problems: options.problems ?? (existsSync('problems') ? 'problems' : EXAMPLES),
    dataFolder: options.data ?? DATA_FOLDER,
    fleet: fleetOf(options),
    host: options.host ?? '127.0.0.1',
    port: integer('port', options.port, 0, 65_535) ?? PORT,
    parallel: workers === 'none' ? 'none' : integer('workers', workers, 1, 1024),
    driver: driverOf(options),
    image: options.image,
    startedAt: start === undefined ? undefined : instantOf(start),
    limits: limitsOf(options),
    log: logOf(options, stderr.isTTY === true),
  });
  stdout.write(options.json ? `${JSON.stringify(summaryOf(judge))}\n` : textOf(judge));
  try {
    await untilAborted(signal);
  } finally {
    await judge.close();
  }
  return 0;
}

function limitsOf({ rate }: CommandOptions) {
  const submissionsPerMinute = integer('rate', rate, 1, 100_000);
  return submissionsPerMinute === undefined ? {} : { submissionsPerMinute };
}

/** @throws SkeinError USAGE. */
function instantOf(given: string): number {
  const instant = Date.parse(given);
  if (!Number.isNaN(instant)) return instant;
  throw new SkeinError('USAGE', `--start ${given}: an instant such as 2026-05-01T09:00:00Z.`);
}

function summaryOf({ url, problems, broken, worker, missing, adminKey }: RunningJudge) {
  return {
    url,
    pid: process.pid,
    problems,
    broken,
    sandbox: worker?.facts.enforcement === undefined ? null : worker.labels,
    missing: missing ?? null,
    adminKey: adminKey ?? null,
  };
}

function textOf({ url, problems, broken, worker, missing, adminKey }: RunningJudge): string {
  const lines = [`Judge: ${url}`, `Problems: ${problems.join(', ') || 'none'}`];
  for (const { name, reason } of broken) lines.push(`Left out: ${name}: ${reason}`);
  if (worker !== undefined) {
    const languages = [...worker.facts.toolchains];
    const missing = languages.filter(([, { available }]) => !available).map(([code]) => code);
    const there = languages.filter(([, { available }]) => available).map(([code]) => code);
    lines.push(`Judges here: ${worker.capacity.cores} at once, ${there.join(', ')}`);
    if (missing.length > 0) lines.push(`No toolchain here: ${missing.join(', ')}`);
  } else {
    lines.push(missing ?? 'Judges nothing here: workers join with `skein-judge worker`.');
  }
  if (adminKey !== undefined) {
    lines.push('', 'Sign in with this key; it is shown only now:', `  ${adminKey}`);
  }
  return `${lines.join('\n')}\n`;
}
