/** Tasks as jobs: real threads, a real store, and the outcomes that a worker reports. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { taskWork } from '../tasks/define-task.ts';
import { namesOfTasks } from '../tasks/task-thread.ts';
import * as tasks from './testing/test-tasks.ts';
import {
  TEST_TASKS,
  testTask,
  workerFixture,
  type WorkerFixture,
} from './testing/worker-fixture.ts';

let jobs: WorkerFixture;
beforeEach(async () => {
  jobs = await workerFixture();
});
afterEach(() => jobs[Symbol.asyncDispose]());

describe('a task', () => {
  it('returns its value and its usage', async () => {
    await jobs.start();
    const job = await jobs.run(testTask(tasks.add, { a: 2, b: 3 }));
    expect(job).toMatchObject({ state: 'succeeded', result: { value: { sum: 5 }, outputs: [] } });
    // Loading the module alone takes some of both, and less than the time between two measurements.
    expect(job.attempts[0]?.usage?.['wallMs']).toBeGreaterThan(0);
    expect(job.attempts[0]?.usage?.['cpuMs']).toBeGreaterThan(0);
  });

  it.each([
    ['throw', { state: 'dead', cause: 'error', message: 'out of cheese' }],
    ['refuse', { state: 'failed', cause: 'error', message: 'Ask for something else.' }],
    ['exit', { state: 'dead', cause: 'error', message: expect.stringContaining('exit code 7') }],
    ['reject-later', { state: 'dead', cause: 'error', message: 'this rejection has no handler' }],
    ['wrong-output', { state: 'failed', message: expect.stringContaining('does not fit') }],
    ['nonsense', { state: 'failed', message: expect.stringContaining('The input of task') }],
  ])('that ends with "%s" has its own cause', async (how, expected) => {
    await jobs.start();
    const job = await jobs.run(testTask(tasks.fails, { how }), {
      retry: { maxAttempts: 2, backoffMs: 0, maxBackoffMs: 0 },
    });
    expect(job).toMatchObject(expected);
    expect(job.attempts).toHaveLength(expected.state === 'dead' ? 2 : 1);
    // The stack is in the log, which needs the right to read it.
    if (how === 'throw') expect(await jobs.logOf(job.id)).toContain('test-tasks.ts');
  });

  it('is ended by its limits, whatever it does with its thread', async () => {
    await jobs.start();
    const slow = await jobs.run(testTask(tasks.loops, {}, { wallMs: 400 }));
    expect(slow).toMatchObject({
      state: 'dead',
      cause: 'timeout',
      message: expect.stringContaining('400 ms'),
    });
    const busy = await jobs.run(testTask(tasks.loops, {}, { cpuMs: 300 }));
    expect(busy).toMatchObject({
      state: 'dead',
      cause: 'timeout',
      message: expect.stringContaining('cpu time'),
    });
    const big = await jobs.run(testTask(tasks.hog, {}, { memoryBytes: 32 * 2 ** 20 }));
    expect(big).toMatchObject({ state: 'dead', cause: 'out-of-memory' });
    expect((await jobs.run(testTask(tasks.add, { a: 1, b: 1 }))).state).toBe('succeeded');
  });

  it('keeps its lease while it loops, for many times its length', async () => {
    await jobs.start({ leaseMs: 1000 });
    const job = await jobs.run(testTask(tasks.loops, {}, { wallMs: 3500 }));
    expect(job.attempts).toHaveLength(1);
    expect(job.cause).toBe('timeout');
  });

  it('reads and stores artifacts, and lists those that have a path', async () => {
    await jobs.start();
    const content = randomBytes(3_000_000);
    const put = await jobs.artifacts.put(
      (async function* () {
        yield content;
      })(),
      1 << 23,
    );
    const job = await jobs.run(testTask(tasks.copies, { digest: put.digest }));
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(job.result).toEqual({
      value: { sha256, digest: put.digest },
      outputs: [{ path: 'copy.bin', ...put }],
    });
    expect(await jobs.logOf(job.id)).toBe('copied 3000000 bytes\n');
    const missing = await jobs.run(testTask(tasks.copies, { digest: '0'.repeat(64) }));
    expect(missing).toMatchObject({
      cause: 'error',
      message: expect.stringContaining('sha256:000'),
    });
  });

  it('runs from a bundled module that is an artifact', async () => {
    await jobs.start();
    const module = `export const task = { kind: 'skein.task', name: 'bundled',
      input: { safeParse: (data) => ({ success: true, data }) },
      output: { safeParse: (data) => ({ success: true, data }) },
      run: (input) => [input, 'from afar'] };`;
    const { digest } = await jobs.artifacts.put(
      (async function* () {
        yield Buffer.from(module);
      })(),
      1 << 20,
    );
    const job = await jobs.run({
      kind: 'task',
      task: 'bundled',
      module: { digest },
      input: 1,
      limits: {},
    });
    expect(job.result?.value).toEqual([1, 'from afar']);
  });

  it('runs wherever a worker offers it, and nowhere else', async () => {
    const work = taskWork(tasks.add, { offered: true }, { a: 1, b: 2 });
    await jobs.start({ name: 'without', queues: ['other'] });
    expect(await jobs.run(work, { queue: 'other' })).toMatchObject({
      state: 'failed',
      cause: 'refused',
      message: expect.stringContaining('task:add'),
    });
    await jobs.start({ name: 'with', taskModules: [TEST_TASKS] });
    const job = await jobs.run(work, { requires: ['task:add'] });
    expect(job.result?.value).toEqual({ sum: 3 });
  });

  it('that no module exports is refused with the names of the exported tasks', async () => {
    await jobs.start();
    const job = await jobs.run({ ...testTask(tasks.add), task: 'multiply' });
    expect(job.message).toContain('exports no task "multiply"');
    expect(job.message).toContain('"add"');
  });

  it('resumes from its checkpoint after each preemption, which costs no attempt', async () => {
    await jobs.start();
    const { id } = await jobs.enqueue(testTask(tasks.counts, { to: 3 }));
    for (const message of ['counted 1', 'counted 2']) {
      await jobs.until(id, ({ progress }) => progress?.message === message);
      await jobs.store.preempt(id);
    }
    const job = await jobs.ended(id);
    expect(job).toMatchObject({
      state: 'succeeded',
      result: { value: { counted: 3, attempt: 3 } },
    });
    expect(job.attempts.map(({ outcome }) => outcome)).toEqual([
      'preempted',
      'preempted',
      'succeeded',
    ]);
  });

  it('is cancelled while it loops', async () => {
    const worker = await jobs.start();
    const { id } = await jobs.enqueue(testTask(tasks.loops));
    await jobs.until(id, ({ progress }) => progress?.message === 'looping');
    await jobs.store.cancel(id, 'changed my mind');
    expect(await jobs.ended(id)).toMatchObject({ state: 'cancelled', message: 'changed my mind' });
    await expect.poll(() => worker.running()).toEqual([]);
    // Its core is free again.
    expect(
      (
        await jobs.run(testTask(tasks.add, { a: 1, b: 1 }), {
          resources: { cores: 2, memoryBytes: 2 ** 27 },
        })
      ).state,
    ).toBe('succeeded');
  });

  it('may write without bound, and the log notes where it was cut off', async () => {
    await jobs.start({ maxLogBytes: 200_000 });
    const job = await jobs.run(testTask(tasks.talks, { lines: 20_000 }));
    expect(job.state).toBe('succeeded');
    const log = await jobs.logOf(job.id);
    expect(log.length).toBeLessThan(200_200);
    expect(log).toContain('the log is cut off here, after 200000 bytes');
    const quiet = await jobs.run(testTask(tasks.talks, { lines: 1500 }));
    const whole = await jobs.logOf(quiet.id);
    expect(whole.match(/x{99}\n/g)).toHaveLength(1500);
    expect(whole).toContain('the end\n');
  });
});

it('leaves no file of its attempts on the disk', async () => {
  const scratch = async () =>
    (await readdir(tmpdir())).filter((name) => name.startsWith(`skein-worker-${process.pid}-`));
  const before = await scratch();
  const worker = await jobs.start();
  const [folder] = (await scratch()).filter((name) => !before.includes(name));
  await jobs.run(testTask(tasks.counts, { to: 1 }));
  expect(await readdir(join(tmpdir(), folder!))).toEqual([]);
  await worker.drain();
  expect(await scratch()).toEqual(before);
});

it('names the tasks of a module without importing it here', async () => {
  expect(await namesOfTasks(TEST_TASKS)).toContain('add');
  await expect(namesOfTasks('/nowhere.ts')).rejects.toThrow('/nowhere.ts');
  expect(await readFile(TEST_TASKS, 'utf8')).toContain("name: 'add'");
});
