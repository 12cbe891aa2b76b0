/**
 * The program of a rank that is a job: `rank-program.ts PLAN FOLDER` trains by the plan, as
 * the member of a gang that its environment names. A retried attempt resumes the run in the
 * folder.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { gangOf } from '../gang/gang.ts';
import { jobProgress } from '../job-progress.ts';
import { keptOrigin, type Origin } from '../origin.ts';
import { followRun, trainRun } from '../train-run.ts';

/** Exit code of a program that Ctrl-C ends. */
const INTERRUPTED = 130;

const [, , plan = '', folder = ''] = process.argv;
const stop = new AbortController();
// A follower continues until its leader has kept a checkpoint, and takes a copy of it.
process.on('SIGTERM', () => stop.abort());

async function trainRank(): Promise<void> {
  const { flags, config } = keptOrigin('', await readFile(plan, 'utf8'));
  const origin: Origin = {
    cwd: process.cwd(),
    flags,
    ...(config === undefined ? {} : { config: { ...config, path: resolve(config.path) } }),
  };
  const gang = await gangOf(process.env);
  const print = (line: string): void => console.error(line);
  const options = { folder, gang, retried: true, onNote: print };
  if (gang !== undefined && gang.rank > 0) return followRun(origin, { ...options, gang });
  const { run } = await trainRun(origin, {
    ...options,
    signal: stop.signal,
    ...jobProgress(print),
    onEpoch: ({ epoch, loss }) => print(`epoch ${epoch}: loss ${loss}`),
  });
  if (run.status === 'interrupted') process.exitCode = INTERRUPTED;
}

try {
  await trainRank();
} catch (error) {
  console.error(error instanceof SkeinError ? error.message : error);
  process.exitCode = 1;
}
