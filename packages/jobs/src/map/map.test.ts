/** Maps over a real store, real workers and real DuckDB, against plain loops. */
import { spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { DataSet, type Piece } from '@skein/data/data-set';
import { createBubblewrap } from '@skein/sandbox/bubblewrap';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { Job } from '../contract.ts';
import { workerFixture, type WorkerFixture } from '../worker/testing/worker-fixture.ts';

import { mapRun } from './map-run.ts';
import { writeRows } from '../../../data/src/testing/parquet.ts';

const bubblewrap = requireComponent('bubblewrap');

let jobs: WorkerFixture;
beforeEach(async () => {
  jobs = await workerFixture({ sandboxes: [createBubblewrap()] });
  await jobs.start();
});
afterEach(() => jobs[Symbol.asyncDispose]());

const MIB = 2 ** 20;
const SHARDS = ['city,amount\nrome,1\noslo,2\n', 'city,amount\nrome,10\nbern,4\n', 'city,amount\n'];

async function stored(content: string): Promise<Piece> {
  return jobs.artifacts.put(Readable.from([Buffer.from(content)]), Number.POSITIVE_INFINITY);
}

type Input = Partial<z.input<typeof mapRun.input>>;

async function enqueue(input: Input): Promise<Job> {
  const shards = await Promise.all(SHARDS.map(stored));
  const given = {
    tables: { data: { format: 'csv' as const, shards } },
    format: 'csv' as const,
    cores: 0.5,
    memoryBytes: 320 * MIB,
    attempts: 1,
    ...input,
  };
  const work = {
    kind: 'task',
    task: mapRun.name,
    module: { offered: true },
    input: given,
    limits: {},
  } as const;
  return jobs.enqueue(work, { resources: { cores: 0.05, memoryBytes: 64 * MIB } });
}

async function run(input: Input): Promise<Job> {
  return jobs.ended((await enqueue(input)).id);
}

/** Processes of DuckDB that this one has started. */
function statements(): string[] {
  const found = spawnSync('ps', ['-o', 'args=', '--ppid', String(process.pid)], {
    encoding: 'utf8',
  });
  return found.stdout.split('\n').filter((line) => line.includes('engine-process'));
}

/** The rows of the output, without headers. */
async function rowsOf(job: Job): Promise<string[]> {
  expect(job.message).toBeUndefined();
  expect(job).toMatchObject({ state: 'succeeded' });
  const { manifest } = mapRun.output.parse(job.result?.value);
  const { shards } = DataSet.parse(JSON.parse(await text(jobs.artifacts.read(manifest ?? ''))));
  const contents = await Promise.all(shards.map(({ digest }) => text(jobs.artifacts.read(digest))));
  return contents.flatMap((content) => content.trim().split('\n').slice(1));
}

describe('a map', () => {
  it('runs a statement over each shard, in order', { timeout: 60_000 }, async () => {
    const sql = 'SELECT city, amount * 2 AS twice FROM data;';
    const job = await run({ work: { kind: 'sql', sql } });
    expect(await rowsOf(job)).toEqual(['rome,2', 'oslo,4', 'rome,20', 'bern,8']);
    expect(job.progress?.fraction).toBe(1);
    expect(job.result?.outputs[0]).toMatchObject({ path: 'data-set.json' });
  });

  it('brings the rows of a key together, wherever they were', { timeout: 90_000 }, async () => {
    const job = await run({
      work: { kind: 'sql', sql: 'SELECT * FROM data WHERE amount > 1' },
      group: {
        by: ['city'],
        sql: 'SELECT city, sum(amount)::INTEGER AS total, count(*) AS n FROM part GROUP BY city',
      },
    });
    expect((await rowsOf(job)).sort()).toEqual(['bern,4,1', 'oslo,2,1', 'rome,10,1']);
    const all = await run({
      group: {
        by: ['city'],
        sql: 'SELECT city, sum(amount)::INTEGER AS total FROM part GROUP BY city',
      },
    });
    expect((await rowsOf(all)).sort()).toEqual(['bern,4', 'oslo,2', 'rome,11']);
  });

  it(
    'brings the rows of JSON with a key together, whatever types its shards look like',
    { timeout: 90_000 },
    async () => {
      const shards = await Promise.all(
        [
          '{"k":1,"day":"2024-01-01"}\n{"k":2,"day":"2024-01-02"}\n',
          '{"k":1,"day":"none"}\n{"k":2.5,"day":"2024-01-01"}\n',
          '{"k":null,"day":"2024-01-01","late":[]}\n{"k":2,"late":[1]}\n',
        ].map(stored),
      );
      const tables = { data: { format: 'jsonl' as const, shards } };
      const grouped = async (column: string): Promise<string[]> => {
        const sql = `SELECT ${column}, count(*) AS n FROM part GROUP BY ${column}`;
        const job = await run({ tables, group: { by: [column], sql } });
        return (await rowsOf(job)).filter((row) => row !== '').sort();
      };
      expect(await grouped('k')).toEqual([',1', '1.0,2', '2.0,2', '2.5,1']);
      expect(await grouped('day')).toEqual([',1', '2024-01-01,3', '2024-01-02,1', 'none,1']);
      const sql = 'SELECT k, day, len(late) AS late FROM data';
      expect(await rowsOf(await run({ tables, work: { kind: 'sql', sql } }))).toEqual([
        '1.0,2024-01-01,',
        '2.0,2024-01-02,',
        '1.0,none,',
        '2.5,2024-01-01,',
        ',2024-01-01,0',
        '2.0,,1',
      ]);
    },
  );

  it(
    'brings the rows of Parquet with a key together, whatever types its shards have it in',
    { timeout: 90_000 },
    async () => {
      const grouped = async (...keys: string[]): Promise<string[]> => {
        const shards: Piece[] = [];
        for (const key of keys) {
          const file = join(testFolder(), 'shard.parquet');
          await writeRows(file, `SELECT ${key} AS "Key", 1 AS amount`);
          shards.push(await jobs.artifacts.put(createReadStream(file), Number.POSITIVE_INFINITY));
        }
        const tables = { data: { format: 'parquet' as const, shards } };
        const sql = 'SELECT "Key", sum(amount) AS total FROM part GROUP BY "Key"';
        const job = await run({ tables, group: { by: ['key'], sql } });
        return (await rowsOf(job)).filter((row) => row !== '').sort();
      };
      expect(await grouped('7.0::DOUBLE', "'7.0'", "'7'")).toEqual(['7,1', '7.0,2']);
      expect(await grouped('1e20::FLOAT', "'1e+20'")).toEqual(['1e+20,2']);
      expect(await grouped('[1]', "['1']")).toEqual(['[1],2']);
    },
  );

  it(
    'refuses CSV whose rows do not fit the header, and leaves out no row',
    { timeout: 60_000 },
    async () => {
      const work = { kind: 'sql', sql: 'SELECT * FROM data' } as const;
      const of = async (content: string): Promise<Job> =>
        run({ tables: { data: { format: 'csv', shards: [await stored(content)] } }, work });
      for (const rows of ['1\n2,3\n', '1,2,3\n4,5,6\n']) {
        const job = await of(`a,b\n${rows}`);
        expect(job).toMatchObject({ state: 'failed' });
        expect(job.message).toContain('more or fewer values than its header "a,b"');
      }
      expect(await rowsOf(await of('"a,b"\n"1,2"\n'))).toEqual(['"1,2"']);
      expect(await rowsOf(await of('text\nhi, you\nfoo; bar\n'))).toEqual([
        '"hi, you"',
        'foo; bar',
      ]);
    },
  );

  it('reads dates and times in one format in all shards of CSV', { timeout: 60_000 }, async () => {
    const sql = 'SELECT day, CAST("at" AS VARCHAR) AS time FROM data';
    const of = async (...shards: string[]): Promise<string[]> => {
      const contents = await Promise.all(shards.map((rows) => stored(`day,at\n${rows}`)));
      const tables = { data: { format: 'csv' as const, shards: contents } };
      return rowsOf(await run({ tables, work: { kind: 'sql', sql } }));
    };
    // The first shard alone could be the sixth of May; the third has no value.
    expect(
      await of('05/06/2024,05-06-2024 10:00:00 AM\n', '05/16/2024,05-16-2024 11:00:00 PM\n', ',\n'),
    ).toEqual(['2024-05-06,2024-05-06 10:00:00', '2024-05-16,2024-05-16 23:00:00', ',']);
    expect(await of('06.05.2024,\n', '2024-05-16,\n')).toEqual(['06.05.2024,', '2024-05-16,']);
    expect(await of('2024-05-06,2024-05-06T10:00:00\n', '')).toEqual([
      '2024-05-06,2024-05-06 10:00:00',
    ]);
  });

  it('leaves out no field and no digit of JSON that appear late', { timeout: 60_000 }, async () => {
    // DuckDB reads 20,480 rows for the types unless its settings demand all.
    const content = `${'{"k":1}\n'.repeat(21_000)}{"k":2.5,"late":3}\n`;
    const tables = { data: { format: 'jsonl' as const, shards: [await stored(content)] } };
    const sql = 'SELECT * FROM data WHERE k > 1';
    expect(await rowsOf(await run({ tables, work: { kind: 'sql', sql } }))).toEqual(['2.5,3']);
  });

  it.skipIf(bubblewrap.skip)('runs a command over each shard, in isolation', async () => {
    const script =
      'head -n 1 "$1" > "$2"; tail -n +2 "$1" | tr a-z A-Z >> "$2"; test ! -e "$3" || echo seen,1 >> "$2"';
    // A file of this machine that a command without isolation would see.
    const secret = join(jobs.folder, 'secret.csv');
    await writeFile(secret, '');
    const argv = ['sh', '-c', script, 'sh', '{in}', '{out}', secret];
    const job = await run({ work: { kind: 'command', argv } });
    expect(await rowsOf(job)).toEqual(['ROME,1', 'OSLO,2', 'ROME,10', 'BERN,4']);
    const { jobs: all } = await jobs.store.jobs({ group: job.id, limit: 10 });
    expect(all.map(({ name }) => name).sort()).toEqual(['map 1/3', 'map 2/3', 'map 3/3']);
  });

  it.skipIf(bubblewrap.skip)('ends with the command that fails', { timeout: 60_000 }, async () => {
    const argv = ['sh', '-c', 'grep -q bern "$1" && exit 3; cp "$1" "$2"', 'sh', '{in}', '{out}'];
    const job = await run({ work: { kind: 'command', argv } });
    expect(job).toMatchObject({ state: 'failed', message: expect.stringContaining('exit-code') });
  });

  it(
    'names the fault of a statement, and reaches no file of the machine',
    { timeout: 60_000 },
    async () => {
      const wrong = await run({ work: { kind: 'sql', sql: 'SELECT nothing FROM data' } });
      expect(wrong).toMatchObject({ state: 'failed' });
      expect(wrong.message).toMatch(/nothing/);
      const secret = join(jobs.folder, 'secret.csv');
      await writeFile(secret, 'a\n1\n');
      const sql = `SELECT * FROM read_csv('${secret}')`;
      const outside = await run({ work: { kind: 'sql', sql } });
      expect(outside).toMatchObject({ state: 'failed' });
      expect(outside.message).toContain('Permission');
    },
  );

  it('leaves no process and no file behind when it is cancelled', { timeout: 60_000 }, async () => {
    const endless =
      'SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range = -b.range - 1';
    const conductor = await enqueue({ work: { kind: 'sql', sql: endless } });
    await expect.poll(statements, { timeout: 30_000 }).not.toEqual([]);
    const { jobs: all } = await jobs.store.jobs({ group: conductor.id, limit: 10 });
    for (const { id } of [conductor, ...all]) await jobs.store.cancel(id, 'enough');
    for (const { id } of [conductor, ...all]) await jobs.ended(id);
    await expect.poll(statements, { timeout: 10_000 }).toEqual([]);
    const scratch = (await readdir(tmpdir())).filter((name) =>
      name.startsWith(`skein-worker-${process.pid}-`),
    );
    expect(scratch).toHaveLength(1);
    const attempts = () => readdir(join(tmpdir(), scratch[0] ?? ''));
    await expect.poll(attempts, { timeout: 10_000 }).toEqual([]);
  });

  it('is refused with less memory than DuckDB needs, before any job starts', async () => {
    const job = await run({ work: { kind: 'sql', sql: 'SELECT 1' }, memoryBytes: 128 * MIB });
    expect(job).toMatchObject({ state: 'failed', message: expect.stringContaining('320 MiB') });
    expect((await jobs.store.jobs({ group: job.id, limit: 1 })).jobs).toEqual([]);
  });
});
