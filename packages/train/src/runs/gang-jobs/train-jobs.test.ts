/** A program that trains on a node: the sample of the README, and what ends its jobs. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { sgd } from '../../optimisers/sgd.ts';
import { trainAsJobs } from './train-jobs.ts';

const PACKAGE = join(import.meta.dirname, '../../..');
const rows = Array.from(
  { length: 400 },
  (_, i) => `${i % 20},${i % 7},${i % 20 > 9 ? 'high' : 'low'}`,
);

let node: NodeProcess;
/** Inside of the package, where its name can be resolved. */
let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(PACKAGE, '.jobs-'));
  await writeFile(join(place, 'rows.csv'), `a,b,class\n${rows.join('\n')}\n`);
  node = await startNodeProcess({ jobs: true, args: ['--cores', '2'] });
}, 60_000);
afterAll(async () => {
  await node.stop();
  await rm(place, { recursive: true, force: true });
});

it('is the sample of the README', async () => {
  const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
  const [, sample] = /```ts\n(import \{ createClient[\s\S]*?)```/.exec(readme)!;
  await writeFile(join(place, 'sample.ts'), sample!);
  const { stdout, stderr } = spawnSync(process.execPath, ['sample.ts'], {
    cwd: place,
    env: { ...process.env, SKEIN_URL: node.url },
    encoding: 'utf8',
  });
  expect(stderr).toMatch(/^Accepted as \S+, \S+\.\n$/);
  expect(stdout.trim()).toBe('finished 4 2');
}, 60_000);

const training = () => ({
  model: 'mlp:16',
  data: join(place, 'rows.csv'),
  label: 'class',
});

it('cancels the jobs when the caller is interrupted', async () => {
  const stop = new AbortController();
  const trained = trainAsJobs(
    { ...training(), epochs: 100_000 },
    {
      client: node.client,
      ranks: 2,
      folder: place,
      signal: stop.signal,
      onProgress: (_, message) => message.startsWith('epoch') && stop.abort(),
    },
  );
  await expect(trained).rejects.toThrow('abort');
  const { jobs } = await node.client.listJobs();
  const ended = () => Promise.all(jobs.slice(0, 2).map(({ id }) => node.client.getJob({ id })));
  await expect
    .poll(async () => (await ended()).map(({ state }) => state), { timeout: 20_000 })
    .toEqual(['cancelled', 'cancelled']);
  const messages = (await ended()).map(({ message }) => message);
  expect(messages).toContainEqual(expect.stringContaining('interrupted by its caller'));
}, 60_000);

it('refuses values of the program, before there is a job', async () => {
  const before = (await node.client.listJobs()).jobs.length;
  const refused = trainAsJobs(
    { ...training(), optimiser: sgd() },
    { client: node.client, ranks: 2, folder: place },
  );
  await expect(refused).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining("the program's own optimiser"),
  });
  expect((await node.client.listJobs()).jobs).toHaveLength(before);
});
