import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { type ArtifactStore, openFileArtifacts } from '@skein/state';
import { createSweep } from './artifact-sweeper.ts';
import type { Claim, JobStore } from './contract.ts';
import { openSqliteJobs } from './store/sqlite/sqlite-jobs.ts';
import { keepCheckpoint, restoreCheckpoint } from './worker/attempt/checkpoint.ts';
import { command, jobSpec } from './worker/testing/worker-fixture.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
let folder: string;
let store: JobStore;
let artifacts: ArtifactStore;
let now: number;
/** Digests that other parts of the node name. */
let named: unknown;

beforeEach(async () => {
  folder = testFolder();
  now = 0;
  named = [];
  store = await openSqliteJobs(':memory:', { clock: () => now });
  artifacts = await openFileArtifacts(join(folder, 'blobs'));
});
afterEach(() => store.close());

const put = async (text: string): Promise<string> =>
  (await artifacts.put(Readable.from([Buffer.from(text)]), 2 ** 20)).digest;
const sweeping = () =>
  createSweep(
    store,
    artifacts,
    () => now,
    async () => named,
  );
const stored = async () => new Set(await artifacts.list());

/** Starts the one job that is queued. */
async function start(): Promise<Claim> {
  const [claim] = await store.claim({
    worker: 'w',
    queues: ['default'],
    free: { cores: 4, memoryBytes: 2 ** 40 },
    labels: [],
    max: 1,
    leaseMs: 1000 * DAY_MS,
  });
  return claim!;
}

it('removes only artifacts that no job has named for a day', async () => {
  const [input, output, unnamed] = [await put('input'), await put('output'), await put('x')];
  await store.enqueue([jobSpec(command(['true'], { inputs: [{ path: 'in', digest: input }] }))]);
  const { token } = await start();
  // The value of a task may name artifacts anywhere in it.
  const value = { deep: [{ digest: output }] };
  await store.finish(token, { kind: 'succeeded', result: { value, outputs: [] } });

  const sweep = sweeping();
  expect(await sweep.look()).toEqual([]);
  now += 23 * HOUR_MS;
  const late = await put('late');
  expect(await sweep.look()).toEqual([]);
  now += HOUR_MS;
  expect(await sweep.look()).toEqual([unnamed]);
  expect(await stored()).toEqual(new Set([input, output, late]));
});

it('keeps the files of a version of a data set, which only its manifest names', async () => {
  const file = await put('a,b');
  const manifest = await put(JSON.stringify({ files: [{ digest: file }] }));
  const sweep = sweeping();
  named = [manifest];
  await sweep.look();
  now += DAY_MS;
  expect(await sweep.look()).toEqual([]);
  named = [];
  await sweep.look();
  now += DAY_MS;
  expect(new Set(await sweep.look())).toEqual(new Set([file, manifest]));
});

it('keeps an artifact that a job names in between', async () => {
  const digest = await put('again');
  const sweep = sweeping();
  await sweep.look();
  await store.enqueue([jobSpec(command(['true'], { inputs: [{ path: 'in', digest }] }))]);
  now += 25 * HOUR_MS;
  expect(await sweep.look()).toEqual([]);
  expect(await artifacts.list()).toEqual([digest]);
});

it('restarts the day when the artifact is stored again', async () => {
  const digest = await put('again');
  const sweep = sweeping();
  await sweep.look();
  now += DAY_MS;
  sweep.spare(await put('again'));
  expect(await sweep.look()).toEqual([]);
  now += DAY_MS;
  expect(await sweep.look()).toEqual([digest]);
});

it('keeps the files of a checkpoint, which only its listing names', async () => {
  const files = { 'state/epoch': '7', 'state/weights': 'many numbers' };
  const session = {
    async *collect() {
      for (const [path, text] of Object.entries(files)) {
        const content = Readable.from([Buffer.from(text)]);
        yield { path, sizeBytes: text.length, content };
      }
    },
  };
  const { signal } = new AbortController();
  const lease = { ended: signal, preempted: signal } as never;
  const listing = await keepCheckpoint(session, 'state', 1000, { artifacts, lease });
  await store.enqueue([jobSpec(command(['true'], { checkpoint: 'state' }))]);
  const { token } = await start();
  expect(await store.saveCheckpoint(token, listing!)).toBe(true);
  await store.finish(token, {
    kind: 'failed',
    cause: 'preempted',
    message: 'Preempted.',
    retryable: true,
  });

  const sweep = sweeping();
  for (let day = 0; day < 3; day++, now += DAY_MS) expect(await sweep.look()).toEqual([]);
  const restored: Record<string, string> = {};
  const into = {
    async put(given: Iterable<{ path: string; content: Uint8Array }>) {
      for (const { path, content } of given) restored[path] = Buffer.from(content).toString();
    },
  };
  await restoreCheckpoint(into, listing!, { artifacts });
  expect(restored).toEqual(files);
});

it('follows names from one artifact to the next, over the boundaries of chunks', async () => {
  const shards = [await put('shard 1'), await put('shard 2')];
  // Longer than any piece that is read at once, and with a name at every place of its end.
  const padding = ' '.repeat(262_144 - 100);
  const manifest = await put(
    `\n{"shards": [${padding}"${shards[0]}", ${' '.repeat(40)}"${shards[1]}"]}`,
  );
  const index = await put(JSON.stringify([{ dataSet: manifest }]));
  const other = await put(`not JSON: ${'0'.repeat(64)}`);
  const namedByOther = await put(`named by a text that is not a list`);
  const text = await put(`see ${namedByOther}`);
  const inputs = [index, other, text].map((digest) => ({ path: digest, digest }));
  await store.enqueue([jobSpec(command(['true'], { inputs }))]);

  const sweep = sweeping();
  await sweep.look();
  now += DAY_MS;
  expect(await sweep.look()).toEqual([namedByOther]);
  expect(await stored()).toEqual(new Set([...shards, manifest, index, other, text]));
});

it('keeps an artifact that a running task may have stored', async () => {
  const before = await put('before');
  const sweep = sweeping();
  await sweep.look();
  now += 1;
  const task = {
    kind: 'task',
    task: 't',
    module: { path: '/t.ts' },
    input: {},
    limits: {},
  } as const;
  await store.enqueue([jobSpec(task)]);
  const { token } = await start();
  const kept = await put('kept');
  const dropped = await put('dropped');
  await sweep.look();
  now += 3 * DAY_MS;
  expect(await sweep.look()).toEqual([before]);
  await store.finish(token, { kind: 'succeeded', result: { value: kept, outputs: [] } });
  expect(await sweep.look()).toEqual([dropped]);
  expect(await stored()).toEqual(new Set([kept]));
});

it('removes the checkpoints that a running command has replaced', async () => {
  await store.enqueue([jobSpec(command(['true'], { checkpoint: 'state' }))]);
  const { token } = await start();
  const [first, second] = [await put('first'), await put('second')];
  const sweep = sweeping();
  await store.saveCheckpoint(token, first);
  await sweep.look();
  await store.saveCheckpoint(token, second);
  await sweep.look();
  now += DAY_MS;
  expect(await sweep.look()).toEqual([first]);
});

it('skips a named artifact that is gone or damaged, and stops when the store cannot be read', async () => {
  const child = await put('child');
  const listing = await put(JSON.stringify([child]));
  const gone = await put('{}');
  const inputs = [listing, gone].map((digest) => ({ path: digest, digest }));
  await store.enqueue([jobSpec(command(['true'], { inputs }))]);
  await artifacts.remove(gone);
  await rm(join(folder, 'blobs', listing));
  await writeFile(join(folder, 'blobs', listing), JSON.stringify([child, 'changed']));
  const failing = createSweep(
    store,
    { ...artifacts, sizeOf: () => Promise.reject(new Error('EMFILE')) },
    () => now,
    async () => [],
  );
  await expect(failing.look()).rejects.toThrow('EMFILE');

  const sweep = sweeping();
  await sweep.look();
  // A listing that is stored again counts again.
  expect(await put(JSON.stringify([child]))).toBe(listing);
  now += DAY_MS;
  expect(await sweep.look()).toEqual([]);
});
