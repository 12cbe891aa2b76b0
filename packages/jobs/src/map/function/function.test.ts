/** Functions over the rows of a statement, by real workers, against plain loops. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { z } from 'zod';
import { DataSet } from '@skein/data/data-set';
import { createBubblewrap } from '@skein/sandbox/bubblewrap';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import type { Job } from '../../contract.ts';
import { workerFixture, type WorkerFixture } from '../../worker/testing/worker-fixture.ts';
import { mapRun } from '../map-run.ts';

const MIB = 2 ** 20;
const ROWS = 2500;
const bubblewrap = requireComponent('bubblewrap');

let jobs: WorkerFixture;
let folder: string;
beforeEach(async () => {
  jobs = await workerFixture({ sandboxes: bubblewrap.skip ? [] : [createBubblewrap()] });
  await jobs.start();
  folder = testFolder();
});
afterEach(() => jobs[Symbol.asyncDispose]());

type Work = NonNullable<z.input<typeof mapRun.input>['work']>;
type Given = Omit<Extract<Work, { kind: 'function' }>, 'kind'>;

const stored = (content: string) =>
  jobs.artifacts.put(Readable.from([Buffer.from(content)]), Number.POSITIVE_INFINITY);

async function run(given: Given, format: 'jsonl' | 'csv' = 'jsonl'): Promise<Job> {
  const lines = Array.from({ length: ROWS }, (_, n) => `name ${n},${n}\n`);
  const shards = [await stored(`name,n\n${lines.join('')}`)];
  const input = {
    tables: { data: { format: 'csv', shards } },
    work: { kind: 'function', ...given },
    format,
    cores: 0.5,
    memoryBytes: 320 * MIB,
    attempts: 1,
  };
  const work = {
    kind: 'task',
    task: mapRun.name,
    module: { offered: true },
    input,
    limits: {},
  } as const;
  const { id } = await jobs.enqueue(work, { resources: { cores: 0.05, memoryBytes: 64 * MIB } });
  return jobs.ended(id);
}

async function outputOf(job: Job): Promise<string> {
  expect(job.message).toBeUndefined();
  const { manifest } = mapRun.output.parse(job.result?.value);
  const { shards } = DataSet.parse(JSON.parse(await text(jobs.artifacts.read(manifest ?? ''))));
  const parts = await Promise.all(shards.map(({ digest }) => text(jobs.artifacts.read(digest))));
  return parts.join('');
}

function moduleOf(name: string, code: string): string {
  const path = join(folder, name);
  writeFileSync(path, code);
  return path;
}

async function pythonOf(code: string): Promise<Given['code']> {
  const { digest } = await stored(code);
  return { python: 'mine.py', inputs: [{ path: 'mine.py', digest }] };
}

const EXPECTED = Array.from({ length: ROWS }, (_, n) => n)
  .filter((n) => n % 2 === 0 && n % 3 !== 0)
  .map((n) => ({ loud: `NAME ${n}!`, n, sizes: [n, 2 * n] }));
const SQL = 'SELECT name, n FROM data WHERE n % 2 = 0';

it('a TypeScript function gets the rows of a statement in batches, and gives others', async () => {
  const module = moduleOf(
    'mine.ts',
    `export function other(): void {}
     export async function loud(batch: Record<string, any[]>, { mark }: { mark: string }) {
       const kept = batch.n.map((n, row) => row).filter((row) => batch.n[row] % 3 !== 0);
       console.log('rows ' + batch.n.length);
       return {
         loud: kept.map((row) => batch.name[row].toUpperCase() + mark),
         n: Int32Array.from(kept, (row) => batch.n[row]),
         sizes: kept.map((row) => [batch.n[row], BigInt(2 * batch.n[row])]),
       };
     }`,
  );
  const given = { sql: SQL, code: { module }, name: 'loud', options: { mark: '!' } };
  const lines = (await outputOf(await run(given))).trim().split('\n');
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual(EXPECTED);

  const csv = await outputOf(
    await run(
      { code: { module: moduleOf('n.ts', 'export const f = ({ n }) => ({ n });') } },
      'csv',
    ),
  );
  expect(csv).toBe(`n\n${Array.from({ length: ROWS }, (_, n) => `${n}\n`).join('')}`);
});

it.skipIf(bubblewrap.skip)('a Python function does the same in a sandbox', async () => {
  const code = await pythonOf(`
def loud(batch, options):
    kept = [row for row, n in enumerate(batch['n']) if n % 3]
    return {'loud': [batch['name'][row].upper() + options['mark'] for row in kept],
            'n': [batch['n'][row] for row in kept],
            'sizes': [[batch['n'][row], 2 * batch['n'][row]] for row in kept]}
`);
  const lines = (await outputOf(await run({ sql: SQL, code, options: { mark: '!' } })))
    .trim()
    .split('\n');
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual(EXPECTED);
});

const FAULTS: readonly (readonly [string, ts: string, py: string, message: RegExp])[] = [
  [
    'throws',
    'if (n.includes(1500)) throw new Error("no such thing"); return { n };',
    "    if 1500 in batch['n']: raise ValueError('no such thing')\n    return batch",
    /failed at rows 1001 to 2000: .*no such thing/,
  ],
  [
    'returns other columns for a later batch',
    'return n.includes(2000) ? { m: n } : { n };',
    "    return {'m': batch['n']} if 2000 in batch['n'] else {'n': batch['n']}",
    /rows 2001 to 2500: it returned the columns m, and before n/,
  ],
  [
    'returns values of two types',
    'return { n: n.map((each) => (each === 1999 ? "x" : each)) };',
    "    return {'n': ['x' if n == 1999 else n for n in batch['n']]}",
    /rows 1001 to 2000: column "n" has the value .x., a text, and before a number/,
  ],
  [
    'returns columns of two lengths',
    'return { n, m: [1] };',
    "    return {'n': batch['n'], 'm': [1]}",
    /rows 1 to 1000: column "m" has 1 values, and column "n" has 1000/,
  ],
  ['returns no columns', 'return 7;', '    return 7', /rows 1 to 1000: it returned 7 in place of/],
];

it.each(FAULTS)('a function that %s fails with its rows', async (_, ts, py, message) => {
  const module = moduleOf('bad.ts', `export const bad = ({ n }: any): unknown => { ${ts} };`);
  expect((await run({ code: { module } })).message).toMatch(message);
  if (bubblewrap.skip) return;
  expect(
    (await run({ code: await pythonOf(`def bad(batch, options):\n${py}\n`) })).message,
  ).toMatch(message);
});

it('names the functions that there are', async () => {
  const module = moduleOf('two.ts', 'export const a = () => 1; export const b = () => 2;');
  expect((await run({ code: { module }, name: 'c' })).message).toContain(
    'exports no function "c"; it exports a, b',
  );
  expect((await run({ code: { builtIn: true }, name: 'c' })).message).toContain(
    'there are skein:chunk',
  );
});
