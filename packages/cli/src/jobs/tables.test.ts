import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import type { WorkerView } from '@skein/api';
import { readsHere } from './tables.ts';

it.each<readonly [what: string, labels: readonly (readonly string[])[], reads: boolean]>([
  ['a worker of this machine', [['task:skein-map', `machine:${hostname()}`]], true],
  ['a worker in a container', [['task:skein-map', 'machine:5f2a']], false],
  ['no worker yet', [], true],
  ['only a worker that runs no maps', [['sandbox:docker']], true],
])('reads files in place with %s: %s', async (_what, labels, reads) => {
  const workers = labels.map((each) => ({ labels: each }) as WorkerView);
  expect(await readsHere({ listWorkers: async () => ({ workers }) })).toBe(reads);
});
