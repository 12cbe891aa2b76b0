/** `skein map --incremental` on a real node: which jobs run again after a file was added or changed. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '@skein/api';
import { writeRows } from '../../../../data/src/testing/parquet.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import type { MapOutcome } from './map.ts';

const TIMEOUT = 90_000;

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ jobs: true });
});
afterAll(() => node.stop());

/** Writes a file of 100 rows whose numbers begin at a place. */
async function write(folder: string, format: string, name: number, from: number): Promise<void> {
  const path = join(node.folder, folder, `${name}.${format}`);
  mkdirSync(join(node.folder, folder), { recursive: true });
  if (format === 'csv') {
    const rows = Array.from({ length: 100 }, (_, i) => `${(from + i) % 3},${from + i}`);
    writeFileSync(path, `k,n\n${rows.join('\n')}\n`);
  } else {
    await writeRows(path, `SELECT i % 3 AS k, i AS n FROM range(${from}, ${from + 100}) t(i)`);
  }
}

interface Ran {
  readonly rows: string | undefined;
  readonly plan: readonly string[];
  /** Paths of the files that jobs of the stage have read, which took no kept result. */
  readonly read: readonly string[];
}

async function ran(sql: string, data: string, ...more: string[]): Promise<Ran> {
  const before = new Set(await ids());
  const words = ['map', '--data', data, '--format', 'csv', '--sql', sql, ...more];
  const { rows, plan } = await node.json<MapOutcome>(...words);
  const jobs: JobView[] = [];
  for (const id of await ids()) {
    if (!before.has(id)) jobs.push(await get<JobView>(`/${id}`));
  }
  const read = jobs
    .filter(
      ({ name, cachedFrom }) =>
        /^(part|statement|shuffle)\b/.test(name) && cachedFrom === undefined,
    )
    .flatMap(({ work }) => {
      const { input } = work as {
        input: { tables: Record<string, { shards: { path?: string }[] }> };
      };
      return Object.values(input.tables).flatMap(({ shards }) =>
        shards.flatMap(({ path }) => (path === undefined ? [] : [path.split('/').at(-1)!])),
      );
    });
  return { rows, plan, read: read.sort() };
}
async function get<T>(path: string): Promise<T> {
  return (await (await fetch(`${node.url}/api/v1/jobs${path}`)).json()) as T;
}
const ids = async (): Promise<string[]> =>
  (await get<{ jobs: JobView[] }>('?limit=500')).jobs.map(({ id }) => id);

const SUM = 'SELECT k, sum(n) AS s FROM data GROUP BY k ORDER BY k';

it.each([
  ['of-groups', 'parquet', SUM],
  ['of-csv', 'csv', SUM],
  ['of-rows', 'parquet', 'SELECT n FROM data WHERE n % 50 = 7 ORDER BY n'],
])('%s reads only new and changed files', { timeout: TIMEOUT }, async (folder, format, sql) => {
  for (const at of [0, 1, 2]) await write(folder, format, at, at * 100);
  const first = await ran(sql, folder, '--incremental');
  expect(first.plan[0]).toMatch(/^in stages/);
  expect(first.read).toHaveLength(3);

  await write(folder, format, 3, 300);
  const second = await ran(sql, folder, '--incremental');
  expect(second.read).toEqual([`3.${format}`]);
  expect(second.rows).toBe((await ran(sql, folder)).rows);

  await write(folder, format, 1, 5000);
  const third = await ran(sql, folder, '--incremental');
  expect(third.read).toEqual([`1.${format}`]);
  expect(third.rows).toBe((await ran(sql, folder)).rows);
});

it('reads all files where the statement cannot be divided', { timeout: TIMEOUT }, async () => {
  for (const at of [0, 1]) await write('whole', 'parquet', at, at * 100);
  const { plan } = await ran('SELECT median(n) FROM data', 'whole', '--incremental');
  expect(plan[0]).toMatch(/^one statement on one worker/);
});
