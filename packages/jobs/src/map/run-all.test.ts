/** A worker that stalls delays a map no longer than its piece takes elsewhere. */
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DataSet } from '@skein/data/data-set';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { workerFixture, type WorkerFixture } from '../worker/testing/worker-fixture.ts';
import { mapRun } from './map-run.ts';
import { stalls } from './testing/stalls.ts';

const MIB = 2 ** 20;
const MODULE = join(import.meta.dirname, 'testing/stalls.ts');

let jobs: WorkerFixture;
beforeEach(async () => {
  jobs = await workerFixture();
  const capacity = { cores: 1, memoryBytes: 1024 * MIB };
  for (const name of ['one', 'two']) await jobs.start({ name, capacity });
});
afterEach(() => jobs[Symbol.asyncDispose]());

it(
  'runs a second copy of a piece that stalls, and cancels the first',
  { timeout: 60_000 },
  async () => {
    const contents = ['folder\n1\n', 'folder\n2\n', `folder\n${join(testFolder(), 'stalled')}\n`];
    const stored = contents.map((each) =>
      jobs.artifacts.put(Readable.from([Buffer.from(each)]), Number.POSITIVE_INFINITY),
    );
    const input = {
      tables: { data: { format: 'csv', shards: await Promise.all(stored) } },
      work: { kind: 'task', task: stalls.name, module: MODULE },
      format: 'csv',
      memoryBytes: 256 * MIB,
    };
    const job = await jobs.run(
      { kind: 'task', task: mapRun.name, module: { offered: true }, input, limits: {} },
      { resources: { cores: 0.05, memoryBytes: 64 * MIB } },
    );
    expect(job).toMatchObject({ state: 'succeeded' });
    const { manifest = '' } = mapRun.output.parse(job.result?.value);
    const { shards } = DataSet.parse(JSON.parse(await text(jobs.artifacts.read(manifest))));
    const rows = shards.map(({ digest }) => text(jobs.artifacts.read(digest)));
    expect(await Promise.all(rows)).toEqual(contents);
    const { jobs: all } = await jobs.store.jobs({ group: job.id, limit: 10 });
    const copies = all.filter(({ name }) => name.endsWith('copy'));
    expect(copies).toMatchObject([{ name: 'map 3/3, copy', state: 'succeeded' }]);
    const first = await jobs.ended(all.find(({ name }) => name === 'map 3/3')!.id);
    expect(first).toMatchObject({ state: 'cancelled' });
    expect(first.attempts[0]!.worker).not.toBe(copies[0]!.attempts[0]!.worker);
    expect(await jobs.logOf(job.id)).toMatch(
      /map 3\/3: a second copy starts, because .* on (one|two)/,
    );
  },
);
