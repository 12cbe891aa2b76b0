import { expect, it } from 'vitest';
import { folded } from './folded.ts';
import { columnsOf } from './graph.tsx';

const job = (id: string, name: string, parents: readonly string[] = []) => ({
  id,
  name,
  parents: [...parents],
  state: 'ready' as const,
});

it('makes one node of the shards of a map, with their counts', () => {
  const shards = Array.from({ length: 220 }, (_, index) => ({
    ...job(`shard-${index}`, `map ${index + 1}/220`),
    state: index < 200 ? ('succeeded' as const) : ('running' as const),
  }));
  expect(folded(shards, columnsOf(shards), 200)).toEqual([
    { name: 'map', jobs: 220, counts: { succeeded: 200, running: 20 }, column: 0, parents: [] },
  ]);
});

it('keeps apart what waits for different jobs, and names a job that is alone', () => {
  const jobs = [
    job('report', 'report', ['a1', 'a2', 'b1']),
    job('a1', 'clean 1', ['load']),
    job('a2', 'clean 2', ['load']),
    job('b1', 'clean 3', ['other']),
    job('load', 'load'),
    job('other', 'other'),
  ];
  const nodes = folded(jobs, columnsOf(jobs), 200);
  expect(nodes.map(({ name, jobs: count, id }) => [name, count, id])).toEqual([
    ['load', 1, 'load'],
    ['other', 1, 'other'],
    ['clean', 2, undefined],
    ['clean 3', 1, 'b1'],
    ['report', 1, 'report'],
  ]);
  expect(nodes.map(({ parents }) => parents)).toEqual([[], [], [0], [1], [2, 3]]);
});

it('folds jobs of different names where they are too many nodes', () => {
  const jobs = ['one', 'two', 'three'].map((name) => job(name, name));
  expect(folded(jobs, columnsOf(jobs), 2)).toMatchObject([{ name: 'jobs', jobs: 3 }]);
});
