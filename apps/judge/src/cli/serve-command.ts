/** `skein-judge serve`: the judge, with its API and its page, until Ctrl-C. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SkeinError } from '@skein/api';
import { type RunningJudge, serveJudge } from '../service/serve.ts';
import { fleetOf, logOf, type Command } from './options.ts';
import { untilAborted } from '@skein/api/waits';

const EXAMPLES = fileURLToPath(new URL('../../problems', import.meta.url));

export const runServe: Command = async (operands, options, { stdout, stderr, signal }) => {
  if (operands.length > 0) throw new SkeinError('USAGE', `serve takes no ${operands[0]}.`);
  const { rate } = options;
  const judge = await serveJudge({
    problems: options.problems ?? (existsSync('problems') ? 'problems' : EXAMPLES),
    dataFolder: options.data,
    fleet: fleetOf(options),
    host: options.host,
    port: options.port,
    parallel: options.workers,
    driver: options.driver,
    image: options.image,
    startedAt: options.start,
    limits: rate === undefined ? {} : { submissionsPerMinute: rate },
    log: await logOf(options, stderr.isTTY === true),
  });
  stdout.write(options.json ? `${JSON.stringify(summaryOf(judge))}\n` : textOf(judge));
  try {
    await untilAborted(signal);
  } finally {
    await judge.close();
  }
  return 0;
};

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
