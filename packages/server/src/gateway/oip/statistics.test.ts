import { expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import type { InferenceAnswer } from '@skein/serving';
import type { TargetRequest } from '@skein/serving/contract';
import { deployedModel, fakeInference } from '../../testing/fake-inference.ts';
import { createModelStatistics, servedVersions } from './statistics.ts';

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
  const times = { queueMs: 1, inputMs: 2, computeMs: 4, outputMs: 3, batchRows: 3 };
  return { version, outputs: new Map(), times, cached };
}

const served = (name: string, ...versions: string[]) => [{ name, versions }];

test('requests, runs, rows and cache hits are counted separately', () => {
  const statistics = createModelStatistics(() => 1234);
  statistics.batchRan('m', '1', 3, { inputMs: 0.5, computeMs: 4, outputMs: 0.25 });
  for (let index = 0; index < 3; index++) statistics.answered(request('m', 10), answer('1'), 17);
  statistics.batchRan('m', '1', 1, { inputMs: 0.5, computeMs: 2, outputMs: 0.25 });
  statistics.answered(request('m', 20), answer('1'), 30);
  statistics.answered(request('m', 40), answer('1', true), 40.5);

  const half = { count: 1, totalMs: 0.5 };
  const quarter = { count: 1, totalMs: 0.25 };
  expect(statistics.read(served('m', '1'))).toEqual([
    {
      name: 'm',
      version: '1',
      lastInference: 1234,
      inferenceCount: 4,
      executionCount: 2,
      success: { count: 5, totalMs: 3 * 7 + 10 + 0.5 },
      fail: { count: 0, totalMs: 0 },
      queue: { count: 5, totalMs: 5 },
      input: { count: 4, totalMs: 8 },
      compute: { count: 4, totalMs: 16 },
      output: { count: 4, totalMs: 12 },
      cacheHit: { count: 1, totalMs: 0.5 },
      batches: [
        { rows: 1, input: half, compute: { count: 1, totalMs: 2 }, output: quarter },
        { rows: 3, input: half, compute: { count: 1, totalMs: 4 }, output: quarter },
      ],
    },
  ]);
});

test('a composition, which runs no batches, counts its answers', () => {
  const statistics = createModelStatistics();
  statistics.answered(request('c', 0), answer('1'), 1);
  statistics.answered(request('c', 0), answer('1'), 1);
  expect(statistics.read(served('c', '1'))).toMatchObject([
    { inferenceCount: 2, executionCount: 2 },
  ]);
});

test('a refusal counts for its version, or for the last one that answered', () => {
  const statistics = createModelStatistics();
  const error = new SkeinError('QUEUE_FULL', 'Full.');
  statistics.answered(request('m', 0), answer('1'), 1);
  statistics.answered(request('m', 0), answer('2'), 1);
  statistics.refused(request('m', 5), error, 7);
  statistics.refused(request('m', 5, '1'), error, 6);
  const fails = statistics
    .read(served('m', '1', '2'))
    .map(({ version, fail }) => [version, fail.count, fail.totalMs]);
  expect(fails).toEqual([
    ['1', 1, 1],
    ['2', 1, 2],
  ]);
  // After a rollback, only the earlier version is served.
  statistics.answered(request('m', 0), answer('1'), 1);
  statistics.refused(request('m', 5), error, 7);
  expect(statistics.read(served('m', '1'))).toMatchObject([{ fail: { count: 2, totalMs: 3 } }]);
});

test('a result does not change with later traffic', () => {
  const statistics = createModelStatistics();
  statistics.answered(request('a', 0), answer('1'), 1);
  const before = statistics.read(served('a', '1'));
  statistics.answered(request('a', 0), answer('1'), 1);
  expect(before.map(({ success }) => success.count)).toEqual([1]);
});

test('each served version has one entry: before its first request, and after refusals without a version', () => {
  const statistics = createModelStatistics();
  const error = new SkeinError('QUEUE_FULL', 'Full.');
  statistics.refused(request('m', 5), error, 7);
  const counts = () =>
    statistics
      .read([...served('m', '1', '2'), ...served('idle', '3')])
      .map(({ name, version, success, fail }) => [name, version, success.count, fail.count]);
  expect(counts()).toEqual([
    ['m', '1', 0, 0],
    ['m', '2', 0, 1],
    ['idle', '3', 0, 0],
  ]);
  // The counts of an earlier version are not served any more.
  statistics.answered(request('m', 0), answer('0'), 1);
  statistics.answered(request('m', 0), answer('1'), 1);
  statistics.refused(request('m', 5), error, 7);
  expect(counts()).toEqual([
    ['m', '1', 1, 1],
    ['m', '2', 0, 1],
    ['idle', '3', 0, 0],
  ]);
});

test('a request for statistics means every model, one, or one version', () => {
  const inference = fakeInference(
    deployedModel('a', { versions: ['1', '2'] }),
    deployedModel('b', { versions: ['7'] }),
  );
  const versions = (model?: string, version?: string) =>
    servedVersions(inference, model, version).map(({ name, versions }) => [name, ...versions]);
  expect(versions()).toEqual([
    ['a', '1', '2'],
    ['b', '7'],
  ]);
  expect(versions('a')).toEqual([['a', '1', '2']]);
  expect(versions('a', '2')).toEqual([['a', '2']]);
  expect(() => versions('c')).toThrow('Request for unknown model');
  expect(() => versions('a', '3')).toThrow('has no version');
});
