/**
 * Pipelines over a real store and real workers: values flow, a failure stops a run, and the run
 * resumes.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { taskWork } from '../tasks/define-task.ts';
import { workerFixture, type WorkerFixture } from '../worker/testing/worker-fixture.ts';
import { definePipeline, isPipeline, run } from './define-pipeline.ts';
import { handle, isHandle, resolve } from './handle.ts';
import { pipelineSvg } from './graph-svg.ts';
import { count, listless, sum, wordCount } from './testing/word-count.ts';

let jobs: WorkerFixture;
beforeEach(async () => {
  jobs = await workerFixture();
});
afterEach(() => jobs[Symbol.asyncDispose]());

const small = { resources: { cores: 0.05, memoryBytes: 64 * 2 ** 20 } };

function conductor(input: z.input<typeof wordCount.input>) {
  return taskWork(wordCount, wordCount.module, input);
}

async function stepsOf(group: string): Promise<Record<string, string>> {
  const { jobs: all } = await jobs.store.jobs({ group, limit: 100 });
  return Object.fromEntries(all.map(({ name, state }) => [name, state]));
}

describe('a run', () => {
  it('starts each step when its inputs are known, and returns the result of the pipeline', async () => {
    await jobs.start();
    const job = await jobs.run(conductor({ text: 'a b c d e f g' }), small);
    expect(job).toMatchObject({ state: 'succeeded', result: { value: { total: 7, parts: 3 } } });
    expect(job.progress).toMatchObject({ fraction: 1, message: '4 of 4 steps' });
    expect(await stepsOf(job.id)).toEqual({
      split: 'succeeded',
      'count 1/3': 'succeeded',
      'count 2/3': 'succeeded',
      'count 3/3': 'succeeded',
      sum: 'succeeded',
      length: 'succeeded',
    });
  });

  it('is a graph: a job has as parents the jobs whose results it gets', async () => {
    await jobs.start();
    const { id } = await jobs.run(conductor({ text: 'a b c d e f g' }), small);
    const { jobs: all } = await jobs.store.jobs({ group: id, limit: 100 });
    const names = new Map(all.map((job) => [job.id, job.name]));
    const parents = all.map((job) => [
      job.name,
      job.parents.map((each) => names.get(each) ?? '').sort(),
    ]);
    const counts = ['count 1/3', 'count 2/3', 'count 3/3'];
    expect(Object.fromEntries(parents)).toEqual({
      split: [],
      ...Object.fromEntries(counts.map((name) => [name, ['split']])),
      sum: counts,
      length: counts,
    });
  });

  it('fails with its failed step, and resumes from there when it is revived', async () => {
    await jobs.start();
    const cure = join(jobs.folder, 'cure');
    const text = 'a b c poison e f g';
    const job = await jobs.run(conductor({ text, failWithout: cure }), small);
    expect(job).toMatchObject({ state: 'failed', cause: 'error' });
    expect(job.message).toMatch(/Step "count" did not succeed \(error\): a poisoned word/);
    const before = await stepsOf(job.id);
    expect(before).toMatchObject({ split: 'succeeded', 'count 2/3': 'dead' });
    expect(before).not.toHaveProperty('sum');

    await writeFile(cure, '');
    await jobs.store.revive(job.id);
    const again = await jobs.until(job.id, ({ state }) => state === 'succeeded');
    expect(again.result?.value).toEqual({ total: 7, parts: 3 });
    const { jobs: all } = await jobs.store.jobs({ group: job.id, limit: 100 });
    const attempts = Object.fromEntries(all.map((each) => [each.name, each.attempts.length]));
    // The steps that had succeeded do not run again.
    expect(attempts).toMatchObject({ split: 1, 'count 2/3': 2 });
  });

  it('fails at once where a step cannot start, and leaves no job behind', async () => {
    await jobs.start();
    const job = await jobs.run(taskWork(listless, listless.module, {}), {
      ...small,
      retry: { maxAttempts: 1000, backoffMs: 1000, maxBackoffMs: 60_000 },
    });
    expect(job).toMatchObject({ state: 'failed', cause: 'error' });
    expect(job.message).toMatch(
      /^Step "count" cannot start. What step "perhaps" returned has no field "parts"/,
    );
    expect(job.attempts).toHaveLength(1);
    expect(await stepsOf(job.id)).toEqual({ waits: 'cancelled', perhaps: 'succeeded' });
  });

  it('survives the loss of its conductor', async () => {
    const first = await jobs.start();
    const cure = join(jobs.folder, 'cure');
    await writeFile(cure, '');
    const job = await jobs.enqueue(conductor({ text: 'a b c d', failWithout: cure }), {
      ...small,
      retry: { maxAttempts: 3, backoffMs: 0, maxBackoffMs: 0 },
    });
    await jobs.until(job.id, ({ state }) => state === 'running');
    await first.drain(0);
    await jobs.start();
    const ended = await jobs.ended(job.id);
    expect(ended).toMatchObject({ state: 'succeeded', result: { value: { total: 4 } } });
    const { jobs: all } = await jobs.store.jobs({ group: job.id, limit: 100 });
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });
});

describe('a definition', () => {
  it('has its graph before anything runs', () => {
    expect(isPipeline(wordCount)).toBe(true);
    expect(isPipeline(count)).toBe(false);
    const graph = wordCount.steps.map(({ name, after, over }) => [name, after, over !== undefined]);
    expect(graph).toEqual([
      ['split', [], false],
      ['count', ['split'], true],
      ['sum', ['count'], false],
      ['length', ['count'], false],
    ]);
  });

  it('refuses two steps of one name', () => {
    expect(() =>
      definePipeline({
        name: 'twice',
        module: import.meta.filename,
        input: z.object({}),
        output: z.int(),
        steps({ step }) {
          step('same', run(sum, { counts: [] }));
          return step('same', run(sum, { counts: [] }));
        },
      }),
    ).toThrow('has two steps called "same"');
  });
});

describe('a handle', () => {
  const given = handle<{ list: { name: string }[] }>({ kind: 'step', step: 'a' });

  it('stands for any part of a value', () => {
    const value = { list: [{ name: 'x' }] };
    const resolved = resolve({ all: given, names: [given.list, 'literal'] }, () => value);
    expect(resolved).toEqual({ all: value, names: [value.list, 'literal'] });
    expect(isHandle(given)).toBe(true);
    expect(isHandle({})).toBe(false);
  });

  it('names the missing field', () => {
    const missing = (given as unknown as Record<string, typeof given>)['nothing'];
    expect(() => resolve(missing, () => ({}))).toThrow(
      'What step "a" returned has no field "nothing".',
    );
    // Not even a field that every object inherits.
    const inherited = (given as unknown as Record<string, typeof given>)['constructor'];
    expect(() => resolve(inherited, () => ({}))).toThrow('no field "constructor"');
  });
});

describe('the picture', () => {
  it('has a box for each step, a curve for each need, and escapes a hostile name', () => {
    const svg = pipelineSvg('a<b', [
      { name: 'first', title: 'x', after: [], fansOut: false, counts: { succeeded: 1 } },
      {
        name: '<script>',
        title: '"',
        after: ['first'],
        fansOut: true,
        counts: { failed: 1, succeeded: 2 },
      },
    ]);
    expect(svg).not.toContain('<script>');
    expect(svg.match(/<g>/g)).toHaveLength(2);
    expect(svg.match(/marker-end/g)).toHaveLength(1);
    expect(svg).toContain('2 of 3');
    expect(svg).toContain('class="failed"');
  });
});
