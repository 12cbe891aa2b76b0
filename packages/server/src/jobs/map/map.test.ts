/** Maps over a real store, real workers and real DuckDB, against plain loops. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { createProcessSandbox } from '../../sandbox/process/process.ts';
import type { Job } from '../contract.ts';
import { taskWork } from '../tasks/define-task.ts';
import { workerFixture, type WorkerFixture } from '../worker/testing/worker-fixture.ts';
import { DataSet, type Piece } from './data-set.ts';
import * as duckdb from './duckdb.ts';
import { mapRun } from './map-run.ts';

let jobs: WorkerFixture;
beforeEach(async () => {
  jobs = await workerFixture({ sandboxes: [createProcessSandbox()] });
  await jobs.start();
});
afterEach(() => jobs[Symbol.asyncDispose]());

const MIB = 2 ** 20;
const SHARDS = ['city,amount\nrome,1\noslo,2\n', 'city,amount\nrome,10\nbern,4\n', 'city,amount\n'];

async function stored(content: string): Promise<Piece> {
  return jobs.artifacts.put(Readable.from([Buffer.from(content)]), Number.POSITIVE_INFINITY);
}

async function run(input: Partial<z.input<typeof mapRun.input>>): Promise<Job> {
  const shards = await Promise.all(SHARDS.map(stored));
  const given = {
    dataSet: { format: 'csv' as const, shards },
    format: 'csv' as const,
    resources: { cores: 0.5, memoryBytes: 128 * MIB },
    attempts: 1,
    ...input,
  };
  return jobs.run(taskWork(mapRun, join(import.meta.dirname, 'map-run.ts'), given), {
    resources: { cores: 0.05, memoryBytes: 64 * MIB },
  });
}

/** The rows of what came out, without headers. */
async function rowsOf(job: Job): Promise<string[]> {
  expect(job.message).toBeUndefined();
  expect(job).toMatchObject({ state: 'succeeded' });
  const { shards } = DataSet.parse(job.result?.value);
  const contents = await Promise.all(shards.map(({ digest }) => text(jobs.artifacts.read(digest))));
  return contents.flatMap((content) => content.trim().split('\n').slice(1));
}

describe('a map', () => {
  it('runs a statement over each shard, in order', { timeout: 60_000 }, async () => {
    const sql = 'SELECT city, amount * 2 AS twice FROM shard;';
    const job = await run({ work: { kind: 'sql', sql } });
    expect(await rowsOf(job)).toEqual(['rome,2', 'oslo,4', 'rome,20', 'bern,8']);
    expect(job.progress?.fraction).toBe(1);
    expect(job.result?.outputs[0]).toMatchObject({ path: 'data-set.json' });
  });

  it('brings the rows of a key together, wherever they were', { timeout: 90_000 }, async () => {
    const job = await run({
      work: { kind: 'sql', sql: 'SELECT * FROM shard WHERE amount > 1' },
      group: {
        by: ['city'],
        partitions: 3,
        sql: 'SELECT city, sum(amount)::INTEGER AS total, count(*) AS n FROM part GROUP BY city',
      },
    });
    expect((await rowsOf(job)).sort()).toEqual(['bern,4,1', 'oslo,2,1', 'rome,10,1']);
    const all = await run({
      group: {
        by: ['city'],
        partitions: 2,
        sql: 'SELECT city, sum(amount)::INTEGER AS total FROM part GROUP BY city',
      },
    });
    expect((await rowsOf(all)).sort()).toEqual(['bern,4', 'oslo,2', 'rome,11']);
  });

  it('runs a command over each shard', async () => {
    const job = await run({
      work: {
        kind: 'command',
        argv: ['sh', '-c', 'tr a-z A-Z < "$1" > "$2"', 'sh', '{in}', '{out}'],
        trusted: true,
      },
    });
    // The network is not to be had without trust in it, so this machine’s driver refuses.
    expect(job).toMatchObject({ state: 'failed' });
    expect(job.message).toContain('network');
  });

  it(
    'says what is wrong with a statement, and reaches no file of the machine',
    { timeout: 60_000 },
    async () => {
      const wrong = await run({ work: { kind: 'sql', sql: 'SELECT nothing FROM shard' } });
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
});

describe('a statement', () => {
  it('passes over more data than it may have memory', { timeout: 60_000 }, async () => {
    const file = join(jobs.folder, 'large.csv');
    const lines = Array.from(
      { length: 200_000 },
      (_, i) => `${(i * 7919) % 200_000},${'x'.repeat(500)}${i}`,
    );
    await writeFile(file, `key,text\n${lines.join('\n')}\n`);
    const target = join(jobs.folder, 'sorted.csv');
    const memoryBytes = 96 * MIB;
    const query = { files: [file], format: 'csv' as const, view: 'shard' as const, memoryBytes };
    await duckdb.query(
      { ...query, threads: 1, sql: 'SELECT * FROM shard ORDER BY key' },
      target,
      'csv',
    );
    const counted = join(jobs.folder, 'count.csv');
    const sql = 'SELECT count(*) AS n, sum(key) AS s FROM shard';
    await duckdb.query({ ...query, files: [target], threads: 1, sql }, counted, 'csv');
    expect(await readFile(counted, 'utf8')).toBe('n,s\n200000,19999900000\n');
  });
});
