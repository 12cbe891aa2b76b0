import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openFileArtifacts } from '../state/artifacts/file-artifacts.ts';
import type { ArtifactStore } from '../state/contract.ts';
import { createSweep } from './artifact-sweeper.ts';
import type { JobStore } from './contract.ts';
import { openSqliteJobs } from './store/sqlite/sqlite-jobs.ts';
import { command, jobSpec } from './worker/testing/worker-fixture.ts';

const HOUR_MS = 3_600_000;
let folder: string;
let store: JobStore;
let artifacts: ArtifactStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-sweep-'));
  store = await openSqliteJobs(':memory:');
  artifacts = await openFileArtifacts(join(folder, 'blobs'));
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

const put = async (text: string): Promise<string> =>
  (await artifacts.put(Readable.from([Buffer.from(text)]), 1000)).digest;

it('removes what no job has named for a day, and nothing else', async () => {
  const [input, output, forgotten] = [await put('input'), await put('output'), await put('x')];
  const [job] = await store.enqueue([
    jobSpec(command(['true'], { inputs: [{ path: 'in', digest: input }] })),
  ]);
  const [claim] = await store.claim({
    worker: 'w',
    queues: ['default'],
    free: { cores: 4, memoryBytes: 2 ** 40 },
    labels: [],
    max: 1,
    leaseMs: 60_000,
  });
  expect(claim?.job.id).toBe(job?.id);
  // What a task returns may name artifacts anywhere in it.
  const value = { deep: [{ digest: output }] };
  await store.finish(claim!.token, { kind: 'succeeded', result: { value, outputs: [] } });

  let now = 0;
  const sweep = createSweep(store, artifacts, () => now);
  expect(await sweep()).toEqual([]);
  now += 23 * HOUR_MS;
  const late = await put('late');
  expect(await sweep()).toEqual([]);
  now += HOUR_MS;
  expect(await sweep()).toEqual([forgotten]);
  expect(new Set(await artifacts.list())).toEqual(new Set([input, output, late]));
});

it('spares what is named in between', async () => {
  const digest = await put('again');
  let now = 0;
  const sweep = createSweep(store, artifacts, () => now);
  await sweep();
  const [job] = await store.enqueue([
    jobSpec(command(['true'], { inputs: [{ path: 'in', digest }] })),
  ]);
  now += 25 * HOUR_MS;
  expect(await sweep()).toEqual([]);
  expect(await store.job(job!.id)).toBeDefined();
  expect(await artifacts.list()).toEqual([digest]);
});
