import { join } from 'node:path';
import type { NewJobInput } from '@skein/api';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { openJobs, type Jobs, type JobsOptions } from './open-jobs.ts';
import { taskWork } from './tasks/define-task.ts';
import { add } from './worker/testing/test-tasks.ts';

let folder: string;
const open: Jobs[] = [];
beforeEach(() => {
  folder = testFolder();
});
afterEach(() => Promise.all(open.splice(0).map((jobs) => jobs.close())));

async function openHere(options: Partial<JobsOptions> = {}): Promise<Jobs> {
  const jobs = await openJobs({ folder, log: () => undefined, ...options });
  open.push(jobs);
  return jobs;
}

const echo = (...words: string[]): NewJobInput['work'] => ({
  kind: 'command',
  argv: ['echo', ...words],
  trusted: true,
});

it('runs a command and returns its output', async () => {
  const jobs = await openHere();
  const { id, state } = await jobs.submit({ work: echo('hello') });
  expect(['ready', 'running', 'succeeded']).toContain(state);
  expect(await jobs.ended(id)).toMatchObject({ state: 'succeeded', tenant: 'default' });
  expect(await jobs.output(id)).toBe('hello\n');
});

it('runs a task of a module, and returns its result', async () => {
  const jobs = await openHere();
  const module = join(import.meta.dirname, 'worker/testing/test-tasks.ts');
  const { id } = await jobs.submit({ work: taskWork(add, module, { a: 1, b: 2 }) });
  expect((await jobs.ended(id)).result?.value).toEqual({ sum: 3 });
});

it('reports how an unsuccessful job ended', async () => {
  const jobs = await openHere();
  const { id } = await jobs.submit({
    work: { kind: 'command', argv: ['false'], trusted: true },
    retry: { maxAttempts: 2, backoffMs: 0, maxBackoffMs: 0 },
  });
  const { state, cause, attempts } = await jobs.ended(id);
  expect({ state, cause, attempts: attempts.length }).toEqual({
    state: 'dead',
    cause: 'exit-code',
    attempts: 2,
  });
});

it('continues the jobs that an earlier program accepted', async () => {
  const before = await openHere({ queues: [] });
  const { id } = await before.submit({ work: echo('later') });
  await before.close();
  open.length = 0;
  const after = await openHere();
  expect(await after.ended(id)).toMatchObject({ state: 'succeeded' });
});

it('refuses an invalid job, and stops waiting when aborted', async () => {
  const jobs = await openHere({ queues: [] });
  await expect(jobs.submit({ work: { kind: 'command', argv: [] } })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });
  const { id } = await jobs.submit({ work: echo('never') });
  const stop = new AbortController();
  const waiting = jobs.ended(id, stop.signal);
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

it('refuses its folder while it is open, and gives it back when it is closed', async () => {
  const jobs = await openHere({ queues: [] });
  await expect(openHere({ queues: [] })).rejects.toMatchObject({ code: 'DATA_FOLDER_LOCKED' });
  await jobs.close();
  expect(await openHere({ queues: [] })).toBeDefined();
});

it('rejects those who wait for a job when it is closed, and each call after that', async () => {
  const jobs = await openHere({ queues: [] });
  const { id } = await jobs.submit({ work: echo('never') });
  const waiting = expect(jobs.ended(id)).rejects.toMatchObject({
    code: 'NODE_DRAINING',
  });
  // By then it has read the job and waits for the next event.
  for (let reads = 0; reads < 3; reads++) await jobs.output(id);
  await jobs.close();
  await waiting;
  // Vitest fails where a rejection that is not awaited remains.
  const refused = { code: 'NODE_DRAINING', message: expect.stringContaining('has been closed') };
  await expect(jobs.ended(id)).rejects.toMatchObject(refused);
  await expect(jobs.output(id)).rejects.toMatchObject(refused);
  await expect(jobs.submit({ work: echo('late') })).rejects.toMatchObject(refused);
});

it('reports that an unknown job does not exist', async () => {
  const jobs = await openHere({ queues: [] });
  await expect(jobs.ended('nothing')).rejects.toMatchObject({ code: 'JOB_UNKNOWN' });
  await expect(jobs.output('nothing')).rejects.toMatchObject({ code: 'JOB_UNKNOWN' });
});

it('refuses options that it could not follow', async () => {
  const wrong = [
    { folder: '' },
    { folder: undefined },
    { queues: 'default' },
    { queues: ['no queue'] },
    { tenant: '' },
    { redis: 5 },
    { cores: -1 },
    { log: 'stderr' },
  ];
  for (const options of wrong) {
    await expect(openHere(options as unknown as JobsOptions)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  }
  await expect(openHere({ queue: ['default'] } as Partial<JobsOptions>)).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
    message: expect.stringContaining('has no field "queue"; known are folder, queues'),
  });
});
