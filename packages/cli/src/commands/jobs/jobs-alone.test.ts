/** Jobs from the command line where no node runs: each command that runs one starts a short-lived node. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { JobView } from '@skein/api';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { runCli } from '../../testing/cli.ts';
import type { RunOutcome } from './run.ts';
import { TRUSTED } from '../../testing/trusted.ts';

/** Trusted, so that the tests do not depend on what sandboxes this machine has. */

const folder = testFolder();
const run = (...words: string[]) => runCli(words, { cwd: folder });
const json = async <T>(...words: string[]): Promise<T> =>
  JSON.parse((await run(...words, '--json')).stdout) as T;
beforeAll(() => {
  writeFileSync(join(folder, 'data.csv'), 'b\na\n');
});

it('commands fail without a node where no job was ever enqueued', async () => {
  // A node of the developer may listen at the default address.
  const refusing = `globalThis.fetch = async () => { throw new TypeError('fetch failed'); }`;
  const program = [
    process.execPath,
    `--import=data:text/javascript,${encodeURIComponent(refusing)}`,
    join(import.meta.dirname, '../../main.ts'),
  ] as const;
  for (const words of [
    ['jobs', 'ls'],
    ['queue', 'ls'],
    ['artifacts', 'put', 'data.csv'],
  ]) {
    expect(await runCli(words, { cwd: folder, program })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/127\.0\.0\.1:4700.*NODE_UNREACHABLE/),
    });
  }
});

it('a job runs, and can be shown and retried afterwards', { timeout: 60_000 }, async () => {
  const words = ['run', '--queue', 'own', ...TRUSTED, '--', 'sh', '-c', 'echo alone; exit 3'];
  const ran = await run(...words);
  expect(ran).toMatchObject({ code: 1 });
  expect(ran.stdout).toContain('alone');
  const { jobs } = await json<{ jobs: JobView[] }>('jobs', 'ls');
  expect(jobs).toMatchObject([{ state: 'failed', queue: 'own' }]);
  const [{ id } = { id: '' }] = jobs;
  expect((await run('jobs', 'revive', id)).stdout).toContain('is ready again');
  const again = await json<JobView>('jobs', 'retry', id);
  // Commands that only show or enqueue jobs do not run them.
  expect(await json<JobView>('jobs', 'show', id)).toMatchObject({ state: 'ready' });
  expect(await json<JobView>('jobs', 'show', again.id)).toMatchObject({ state: 'ready' });
  expect((await run('jobs', 'preempt', id)).stdout).toContain('nothing to stop');
  expect((await run('jobs', 'cancel', id, again.id)).stdout).toMatch(/cancelled\n.*cancelled/);
});

it('a ready job runs while a command follows it', { timeout: 60_000 }, async () => {
  const { stdout } = await run('run', '--json', ...TRUSTED, 'echo', 'followed');
  const { job } = JSON.parse(stdout) as RunOutcome;
  const { id } = await json<JobView>('jobs', 'retry', job.id);
  const followed = await run('jobs', 'logs', '-f', id);
  expect(followed).toMatchObject({ code: 0, stdout: expect.stringContaining('followed') });
});

it('queues, schedules and artifacts are kept', { timeout: 60_000 }, async () => {
  await run('queue', 'pause', 'nightly');
  await run('queue', 'tenant', 'students', '--weight', '2');
  expect((await run('queue', 'ls')).stdout).toMatch(/nightly\s+paused/);
  expect((await run('queue', 'drain', 'nightly')).stdout).toContain('draining');
  expect((await run('queue', 'open', 'nightly')).stdout).toContain('open');
  await run('queue', 'schedule', 'put', 'often', '--cron=* * * * *', '--', 'cat', 'data.csv');
  expect((await run('queue', 'schedule', 'ls')).stdout).toContain('often');
  expect((await run('queue', 'schedule', 'rm', 'often')).code).toBe(0);
  writeFileSync(join(folder, 'other.csv'), 'c\n');
  const { digest } = await json<{ digest: string }>('artifacts', 'put', 'other.csv');
  expect(digest).toBe(createHash('sha256').update('c\n').digest('hex'));
  expect((await run('artifacts', 'get', digest, '--out', 'copy.csv')).code).toBe(0);
  expect(readFileSync(join(folder, 'copy.csv'), 'utf8')).toBe('c\n');
});

it('a pipeline finds its packages where nothing is installed', { timeout: 60_000 }, async () => {
  const module = `
    import { z } from 'zod';
    import { defineTask } from '@skein/jobs/task';
    import { definePipeline, run } from '@skein/jobs/pipeline';
    const number = z.object({ n: z.int() });
    export const twice = defineTask({
      name: 'twice',
      input: number,
      output: number,
      // A task may import later, in a thread of its own.
      run: async ({ n }) => ({ n: z.int().parse(n) * (await import('zod/mini')).int().parse(2) }),
    });
    export const four = definePipeline({
      name: 'four',
      module: import.meta.filename,
      input: number,
      output: number,
      steps: ({ input, step }) => step('twice', run(twice, input)),
    });`;
  writeFileSync(join(folder, 'four.pipeline.ts'), module);
  const ran = await run('pipeline', 'run', 'four.pipeline.ts', '--input', '{"n":2}');
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('returned {"n":4}') });
  expect(ran.stderr).not.toMatch(/warning/i);
});
