/** A map in a fleet whose machines have Skein in different places: here, one that moves. */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import type { JobView } from '@skein/api';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startRedis, type TestRedis } from '../../../../jobs/src/store/testing/redis-server.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { startCli, type CliProcess } from '../../testing/cli.ts';

const ROOT = join(import.meta.dirname, '../../../../..');
const ROWS = Array.from({ length: 200 }, (_, i) => `${i % 5},${i}`);

/** The packages in another folder, with the dependencies of this one. */
function install(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@skein'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name !== '@skein') symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  for (const name of readdirSync(join(ROOT, 'packages'))) {
    const own = join(folder, 'packages', name);
    cpSync(join(ROOT, 'packages', name), own, {
      recursive: true,
      filter: (path) => !/\.test\.ts$|\/(fixtures|testdata)$/.test(path),
    });
    // Relative, so that it stays valid when the folder moves.
    symlinkSync(join('../../packages', name), join(modules, '@skein', name));
  }
}

let folder: string;
let redis: TestRedis;
let node: NodeProcess;
const started: CliProcess[] = [];
const component = requireComponent('redis');
beforeEach(async () => {
  if (component.skip) return;
  folder = testFolder();
  redis = await startRedis();
  const places = ['--redis', redis.url, '--blobs', join(folder, 'blobs')];
  node = await startNodeProcess({ args: [...places, '--queues', 'none'] });
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

function startFrom(place: string, ...words: string[]): CliProcess {
  const main = join(folder, place, 'packages/cli/src/main.ts');
  const cli = startCli(words, { cwd: node.folder, program: [process.execPath, main] });
  started.push(cli);
  return cli;
}

it.skipIf(component.skip)(
  'runs on a machine where Skein is installed at another path than at the caller',
  async () => {
    install(join(folder, 'here'));
    writeFileSync(join(node.folder, 'table.csv'), `key,n\n${ROWS.join('\n')}\n`);
    const caller = startFrom(
      'here',
      ...`map --server ${node.url} --data table.csv --shard 512B --by key`.split(' '),
      '--reduce',
      'SELECT key, sum(n)::INTEGER AS n FROM part GROUP BY key',
    );
    const list = () => node.json<{ jobs: JobView[] }>('jobs', 'ls');
    await expect.poll(async () => (await list()).jobs.length, { timeout: 20_000 }).toBe(1);
    const [{ id } = { id: '' }] = (await list()).jobs;
    // Killed rather than interrupted: an interrupt cancels the map; a lost machine does not.
    caller.process.kill('SIGKILL');
    await caller.ended;
    renameSync(join(folder, 'here'), join(folder, 'there'));
    const worker = startFrom(
      'there',
      ...`worker --redis ${redis.url} --log off --json --blobs`.split(' '),
      join(folder, 'blobs'),
    );
    await worker.saw(/^\}$/m);

    expect((await node.run('jobs', 'logs', '-f', id)).code).toBe(0);
    const job = await node.json<JobView>('jobs', 'show', id);
    expect(job).toMatchObject({ state: 'succeeded' });
    const { outputs = [] } = job.result ?? {};
    await node.run('artifacts', 'get', outputs[0]?.digest ?? '', '--out', 'data-set.json');
    const again = 'map --data data-set.json --out sums --sql'.split(' ');
    expect((await node.run(...again, 'FROM data')).code).toBe(0);
    const found = readdirSync(join(node.folder, 'sums'))
      .filter((name) => name.endsWith('.csv'))
      .flatMap((name) =>
        readFileSync(join(node.folder, 'sums', name), 'utf8')
          .trim()
          .split('\n')
          .slice(1),
      );
    const sums = [0, 1, 2, 3, 4].map((key) => {
      const own = ROWS.filter((row) => row.startsWith(`${key},`));
      return `${key},${own.reduce((sum, row) => sum + Number(row.slice(2)), 0)}`;
    });
    expect(found.sort()).toEqual(sums);
  },
  120_000,
);
