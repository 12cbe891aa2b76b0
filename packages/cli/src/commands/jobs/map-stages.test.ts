/** A statement that several workers share, while one of them is killed and its jobs run again elsewhere. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { JobView } from '@skein/api';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { query, writeRows } from '../../../../data/src/testing/parquet.ts';
import { startRedis, type TestRedis } from '../../../../jobs/src/store/testing/redis-server.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { startCli, type CliProcess } from '../../testing/cli.ts';
import type { MapOutcome } from './map.ts';

const FILES = 3;
const ROWS = 1_000_000;

const component = requireComponent('redis');
let redis: TestRedis;
let node: NodeProcess;
let places: string[];
const started: CliProcess[] = [];

beforeEach(async () => {
  if (component.skip) return;
  redis = await startRedis();
  places = ['--redis', redis.url, '--blobs', join(testFolder(), 'blobs')];
  node = await startNodeProcess({ args: [...places, '--queues', 'none'] });
  mkdirSync(join(node.folder, 'table'));
  for (let at = 0; at < FILES; at++) {
    // Random digits, which compression leaves as they are: each file is worth a job.
    const sql = `SELECT (i * 7919) % 1000 AS key, i AS n, hash(i) AS a, hash(i + 1) AS b
                   FROM range(${at * ROWS}, ${(at + 1) * ROWS}) t(i)`;
    await writeRows(join(node.folder, `table/${at}.parquet`), sql);
  }
}, 60_000);
afterEach(async () => {
  if (component.skip) return;
  for (const { process, ended } of started.splice(0)) {
    process.kill('SIGKILL');
    await ended;
  }
  await node.stop();
  await redis.destroy();
});

async function startWorker(): Promise<CliProcess> {
  const words = 'worker --cores 1 --memory 1GiB --lease 2s --log off --json'.split(' ');
  const worker = startCli([...words, ...places], { cwd: node.folder });
  started.push(worker);
  await worker.saw(/^\}$/m);
  return worker;
}

it.skipIf(component.skip)(
  'gives the rows of one worker, though one of three is killed',
  async () => {
    const [first] = await Promise.all([startWorker(), startWorker(), startWorker()]);
    const sql =
      'SELECT key, quantile_disc(a, 0.5) AS m, max(n) AS n FROM data GROUP BY key ORDER BY key';
    const map = startCli(
      ['map', '--json', '--data', 'table', '--format', 'csv', '--out', 'shared', '--sql', sql],
      { cwd: node.folder },
    );
    const jobsOf = async () => (await node.json<{ jobs: JobView[] }>('jobs', 'ls')).jobs;
    const isShuffling = async (): Promise<boolean> =>
      (await jobsOf()).some(({ name, state }) => name.startsWith('shuffle') && state === 'running');
    await expect.poll(isShuffling, { timeout: 60_000, interval: 20 }).toBe(true);
    first.process.kill('SIGKILL');
    const { code, stdout, stderr } = await map.ended;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const { plan, fetched } = JSON.parse(stdout) as MapOutcome;
    expect(plan.join('\n')).toMatch(/^in stages: .*by key\nshuffle: \d+ pieces of data by key\n/);

    const rows = fetched
      .slice(1)
      .flatMap((file) => readFileSync(file, 'utf8').trim().split('\n').slice(1));
    const files = join(node.folder, 'table/*.parquet');
    const alone = await query(sql.replace('FROM data', `FROM read_parquet('${files}')`));
    expect(rows).toHaveLength(1000);
    expect(rows).toEqual(alone.map(({ key, m, n }) => `${key},${m},${n}`));
  },
  180_000,
);
