import { expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import type { InferenceAnswer } from '@skein/serving';
import type { TargetRequest } from '@skein/serving/contract';
import { createModelStatistics } from './statistics.ts';

function request(deployment: string, arrivedAt: number, version?: string): TargetRequest {
  return {
    id: '1',
    deployment,
    version,
    inputs: new Map(),
    arrivedAt,
    deadline: Infinity,
    priority: 0,
    tenant: 'default',
    protocol: 'http',
  };
}

function answer(version: string, cached = false): InferenceAnswer {
  const times = { queueMs: 1, computeMs: 4, batchRows: 3 };
  return { version, outputs: new Map(), times, cached };
}

test('requests, runs, rows and cache hits are counted separately', () => {
  const statistics = createModelStatistics(() => 1234);
  statistics.batchRan('m', '1', 3, 4);
  for (let index = 0; index < 3; index++) statistics.answered(request('m', 10), answer('1'), 17);
  statistics.batchRan('m', '1', 1, 2);
  statistics.answered(request('m', 20), answer('1'), 30);
  statistics.answered(request('m', 40), answer('1', true), 40.5);

  expect(statistics.read('m', '1')).toEqual([
    {
      name: 'm',
      version: '1',
      lastInference: 1234,
      inferenceCount: 4,
      executionCount: 2,
      success: { count: 5, totalMs: 3 * 7 + 10 + 0.5 },
      fail: { count: 0, totalMs: 0 },
      queue: { count: 5, totalMs: 5 },
      compute: { count: 4, totalMs: 16 },
      cacheHit: { count: 1, totalMs: 0.5 },
      batches: [
        { rows: 1, compute: { count: 1, totalMs: 2 } },
        { rows: 3, compute: { count: 1, totalMs: 4 } },
      ],
    },
  ]);
});

test('a composition, which runs no batches, counts its answers', () => {
  const statistics = createModelStatistics();
  statistics.answered(request('c', 0), answer('1'), 1);
  statistics.answered(request('c', 0), answer('1'), 1);
  expect(statistics.read('c')).toMatchObject([{ inferenceCount: 2, executionCount: 2 }]);
});

test('a refusal counts for its version, or for the newest one known', () => {
  const statistics = createModelStatistics();
  const error = new SkeinError('QUEUE_FULL', 'Full.');
  statistics.answered(request('m', 0), answer('1'), 1);
  statistics.answered(request('m', 0), answer('2'), 1);
  statistics.refused(request('m', 5), error, 7);
  statistics.refused(request('m', 5, '1'), error, 6);
  const fails = statistics
    .read('m')
    .map(({ version, fail }) => [version, fail.count, fail.totalMs]);
  expect(fails).toEqual([
    ['1', 1, 1],
    ['2', 1, 2],
  ]);
});

test('a result can be filtered, and does not change with later traffic', () => {
  const statistics = createModelStatistics();
  statistics.answered(request('a', 0), answer('1'), 1);
  statistics.answered(request('b', 0), answer('1'), 1);
  const before = statistics.read();
  statistics.answered(request('a', 0), answer('2'), 1);
  statistics.answered(request('a', 0), answer('1'), 1);
  expect(before.map(({ name, success }) => [name, success.count])).toEqual([
    ['a', 1],
    ['b', 1],
  ]);
  expect(statistics.read('a').map(({ version }) => version)).toEqual(['1', '2']);
  expect(statistics.read('a', '2')).toHaveLength(1);
  expect(statistics.read('none')).toEqual([]);
});
