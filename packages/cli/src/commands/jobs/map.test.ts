/** `skein map` on a real node, each format and each kind of work against a plain loop over the rows. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { readParquet, writeParquet } from '../../../../data/src/testing/parquet.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { runCli } from '../../testing/cli.ts';

import type { MapOutcome } from './map.ts';

const ROOT = join(import.meta.dirname, '../../../../..');
const TIMEOUT = 90_000;

interface Row {
  readonly name: string;
  readonly n: number;
}

/** Names with characters that are special in each format. */
const ROWS: readonly Row[] = Array.from({ length: 3000 }, (_, i) => ({
  name: `"Ödön", ${i % 7}\n`,
  n: (i * 7919) % 3000,
}));
/** The sums of a plain loop. */
const TOTALS = new Map<string, number>();
for (const { name, n } of ROWS) TOTALS.set(name, (TOTALS.get(name) ?? 0) + n);

const csvCell = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const csvOf = (rows: readonly Row[]): string =>
  `name,n\n${rows.map(({ name, n }) => `${csvCell(name)},${n}\n`).join('')}`;
const jsonlOf = (rows: readonly Row[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ jobs: true });
  writeFileSync(join(node.folder, 'table.csv'), csvOf(ROWS));
  writeFileSync(join(node.folder, 'table.jsonl'), jsonlOf(ROWS));
  await writeParquet(join(node.folder, 'table.parquet'), {
    from: join(node.folder, 'table.jsonl'),
    rowGroupRows: 2048,
  });
});
afterAll(() => node.stop());

/** Runs a map whose shards are written into a folder. @returns the contents of its parts, in order. */
async function mapInto(folder: string, ...words: string[]): Promise<string[]> {
  const { fetched } = await node.json<MapOutcome>('map', '--out', folder, ...words);
  const [manifest, ...parts] = fetched;
  expect(manifest).toBe(join(node.folder, folder, 'data-set.json'));
  return parts.map((file) => readFileSync(file, 'utf8'));
}

/** Each shard as it was. @returns the contents of the shards. */
async function copied(folder: string, ...words: string[]): Promise<string[]> {
  const ran = await node.run(
    'map',
    '--json',
    '--out',
    folder,
    ...words,
    ...'--trusted -- cp {in} {out}'.split(' '),
  );
  expect(ran).toMatchObject({ code: 0 });
  return (JSON.parse(ran.stdout) as MapOutcome).fetched
    .slice(1)
    .map((file) => readFileSync(file, 'utf8'));
}

const fromJsonl = (parts: readonly string[]): unknown[] =>
  parts.flatMap((part) =>
    part
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as unknown),
  );

describe('a statement', () => {
  const kept = 'SELECT name, n * 2 AS twice FROM data WHERE n % 3 = 0';
  const expected = ROWS.filter(({ n }) => n % 3 === 0).map(({ name, n }) => ({
    name,
    twice: n * 2,
  }));
  const to = ['--sql', kept, '--format', 'jsonl'];

  it.each(['csv', 'jsonl', 'parquet'])(
    'gives the rows of a plain loop, in their order, of %s',
    async (format) => {
      const given = ['--data', `table.${format}`];
      expect(fromJsonl(await mapInto(`kept-${format}`, ...given, ...to))).toEqual(expected);
      // Stored in shards, for a node that may be elsewhere. Parquet is smaller by its compression.
      const shard = format === 'parquet' ? '4KiB' : '32KiB';
      const sent = ['--server', node.url, '--shard', shard];
      const parts = await mapInto(`sent-${format}`, ...given, ...to, ...sent);
      expect(new Set(fromJsonl(parts))).toEqual(new Set(expected));
    },
    TIMEOUT,
  );

  it('replaces the shards that an earlier map has left in the folder', async () => {
    expect(
      (await copied('again', '--data', 'table.jsonl', '--shard', '32KiB')).length,
    ).toBeGreaterThan(1);
    writeFileSync(join(node.folder, 'again', 'part-of-mine.jsonl'), '');
    await mapInto('again', '--data', 'table.jsonl', '--sql', 'SELECT count(*) AS n FROM data');
    expect(readdirSync(join(node.folder, 'again')).sort()).toEqual([
      'data-set.json',
      expect.stringMatching(/^part-00000-[0-9a-f]{8}.jsonl$/),
      'part-of-mine.jsonl',
    ]);
  });

  it(
    'writes Parquet that other readers accept',
    async () => {
      const { fetched } = await node.json<MapOutcome>(
        ...'map --data table.csv --format parquet --out columns --sql'.split(' '),
        kept,
      );
      const [, part = '', ...others] = fetched;
      expect(others).toEqual([]);
      const rows = await readParquet(part);
      // 64-bit integers come as text.
      expect(rows).toEqual(expected.map((row) => ({ ...row, twice: String(row.twice) })));
    },
    TIMEOUT,
  );
});

describe('tables', () => {
  const run = async (folder: string, ...words: string[]): Promise<unknown[]> =>
    fromJsonl(await mapInto(folder, '--format', 'jsonl', ...words));

  it('have names, and are joined', { timeout: TIMEOUT }, async () => {
    writeFileSync(join(node.folder, 'labels.csv'), 'n,label\n3,three\n5,five\n');
    const sql = 'SELECT n, label, left(name, 3) AS name FROM data JOIN labels USING (n) ORDER BY n';
    expect(
      await run('joined', '--data', 'table.parquet', '--data', 'labels=labels.csv', '--sql', sql),
    ).toEqual([
      { n: 3, label: 'three', name: '"Öd' },
      { n: 5, label: 'five', name: '"Öd' },
    ]);
  });

  it(
    'are all files of a folder or a pattern, by columns of their folders too',
    { timeout: TIMEOUT },
    async () => {
      for (const year of [2025, 2026]) {
        const folder = join(node.folder, `years/year=${year}`);
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, 'rows.csv'), `n\n${year}\n`);
      }
      const sql = [
        '--sql',
        'SELECT year, sum(n)::INTEGER AS n FROM data GROUP BY year ORDER BY year',
      ];
      const both = [
        { year: 2025, n: 2025 },
        { year: 2026, n: 2026 },
      ];
      expect(await run('of-folder', '--data', 'years', ...sql)).toEqual(both);
      expect(await run('of-pattern', '--data', 'years/*/r*.csv', ...sql)).toEqual(both);
      expect(await run('of-year', '--data', 'years/year=2026/rows.csv', ...sql)).toEqual(
        both.slice(1),
      );
    },
  );

  it('are CSV in other dialects, and compressed', { timeout: TIMEOUT }, async () => {
    const dialect =
      '--csv delim=; --csv decimal_separator=, --csv encoding=latin-1 --csv nullstr=none'.split(
        ' ',
      );
    const text = Buffer.from('stadt;wert\nM\u00fcnchen;1,5\nUlm;none\n', 'latin1');
    writeFileSync(join(node.folder, 'german.csv.gz'), gzipSync(text));
    writeFileSync(join(node.folder, 'german.csv.zst'), zstdCompressSync(text));
    for (const file of ['german.csv.gz', 'german.csv.zst']) {
      expect(await run('german', '--data', file, ...dialect, '--sql', 'FROM data')).toEqual([
        { stadt: 'M\u00fcnchen', wert: 1.5 },
        { stadt: 'Ulm', wert: null },
      ]);
    }
    const sent = await node.run(
      'map',
      '--server',
      node.url,
      '--data',
      'german.csv.gz',
      '--sql',
      'FROM data',
    );
    expect(sent).toMatchObject({ code: 2, stderr: expect.stringContaining('only where it lies') });
  });

  it('show how a statement is planned, and run nothing', { timeout: TIMEOUT }, async () => {
    const plan = await node.json<MapOutcome>(
      'map',
      '--data',
      'table.csv',
      '--sql',
      'FROM data',
      '--explain',
    );
    expect(plan).toMatchObject({ shards: 0, fetched: [] });
    expect(plan.plan.join()).toContain('one statement on one worker');
  });
});

describe('rows that are shuffled by key', () => {
  const reduce = 'SELECT name, sum(n)::INTEGER AS total FROM part GROUP BY name';

  it.each(['csv', 'jsonl', 'parquet'])(
    'sum up as in a plain loop, of %s',
    async (format) => {
      const parts = await mapInto(
        `totals-${format}`,
        ...`--data table.${format} --shard ${format === 'parquet' ? '4KiB' : '32KiB'}`.split(' '),
        ...'--by name --format jsonl --reduce'.split(' '),
        reduce,
      );
      const found = fromJsonl(parts) as { name: string; total: number }[];
      expect(found).toHaveLength(TOTALS.size);
      expect(new Map(found.map(({ name, total }) => [name, total]))).toEqual(TOTALS);
    },
    TIMEOUT,
  );
});

it(
  'a task does to every shard what it does to a table',
  async () => {
    writeFileSync(
      join(node.folder, 'shout.ts'),
      `import { defineTask } from '${ROOT}/packages/jobs/src/tasks/define-task.ts';
       import { z } from '${ROOT}/node_modules/zod/index.js';
       export const shout = defineTask({
         name: 'shout',
         input: z.object({ digest: z.string(), format: z.literal('jsonl') }),
         output: z.object({ digest: z.string(), sizeBytes: z.number() }),
         async run({ digest }, { artifacts }) {
           let text = '';
           for await (const chunk of artifacts.read(digest)) text += Buffer.from(chunk).toString('latin1');
           const lines = Buffer.from(text, 'latin1').toString().split('\\n').slice(0, -1);
           const loud = lines.map((line) => JSON.stringify({ loud: JSON.parse(line).name.toUpperCase() }));
           return artifacts.put(Buffer.from(loud.join('\\n') + '\\n'));
         },
       });`,
    );
    const words = ['--data', 'table.jsonl', '--shard', '64KiB', '--task', 'shout'];
    const parts = await mapInto('loud', ...words, '--module', 'shout.ts');
    expect(parts.length).toBeGreaterThan(1);
    expect(fromJsonl(parts)).toEqual(ROWS.map(({ name }) => ({ loud: name.toUpperCase() })));
  },
  TIMEOUT,
);

it.skipIf(requireComponent('bubblewrap').skip)(
  'a command does to every shard what it does to a table, in isolation',
  async () => {
    const program = `import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline='')))
csv.writer(open(sys.argv[2], 'w', newline=''), lineterminator='\\n').writerows(
    [rows[0]] + [[name.upper(), n] for name, n in rows[1:]])
`;
    writeFileSync(join(node.folder, 'shout.py'), program);
    const words = ['--data', 'table.csv', '--shard', '32KiB'];
    const command = ['--', 'python3', 'shout.py', '{in}', '{out}'];
    const ran = await node.run('map', ...words, '--out=loud-csv', '--json', ...command);
    expect(ran).toMatchObject({ code: 0 });
    const [, ...parts] = (JSON.parse(ran.stdout) as MapOutcome).fetched;
    expect(parts.length).toBeGreaterThan(1);
    const rows = parts.map((file) => readFileSync(file, 'utf8').replace('name,n\n', ''));
    const loud = ROWS.map(({ name, n }) => `${csvCell(name.toUpperCase())},${n}\n`);
    expect(rows.join('')).toBe(loud.join(''));
  },
  TIMEOUT,
);

describe('a data set', () => {
  it(
    'that a map has left is data for the next one, also elsewhere',
    async () => {
      const sql = ['--sql', 'SELECT name, n FROM data WHERE n < 1000'];
      await mapInto('few', '--data', 'table.csv', '--format', 'parquet', ...sql);
      const count = ['--sql', 'SELECT count(*)::INTEGER AS n FROM data', '--format', 'jsonl'];
      const from = join(node.folder, 'few/data-set.json');
      const parts = await mapInto('counts', '--data', from, ...count);
      expect(fromJsonl(parts)).toEqual([{ n: 1000 }]);

      // Where nothing is stored, the files next to the manifest are uploaded.
      const elsewhere = testFolder();
      try {
        const again = ['map', '--data', from, ...count, '--out', 'counts', '--json'];
        const ran = await runCli(again, { cwd: elsewhere });
        expect(ran).toMatchObject({ code: 0 });
        const [, ...files] = (JSON.parse(ran.stdout) as MapOutcome).fetched;
        expect(files.map((file) => readFileSync(file, 'utf8'))).toEqual(parts);

        for (const name of readdirSync(join(node.folder, 'few'))) {
          if (name.startsWith('part-00000-')) rmSync(join(node.folder, 'few', name));
        }
        const lacking = mkdtempSync(join(elsewhere, 'empty-'));
        const refused = await runCli(['map', '--data', from, ...count], { cwd: lacking });
        expect(refused).toMatchObject({ code: 1 });
        expect(refused.stderr).toContain('neither stored nor next to the manifest');
      } finally {
      }
    },
    TIMEOUT,
  );

  it('of one row group is cut between its rows', { timeout: TIMEOUT }, async () => {
    const from = join(node.folder, 'table.jsonl');
    await writeParquet(join(node.folder, 'one.parquet'), { from, rowGroupRows: 100_000 });
    const words = ['--data', 'one.parquet', '--shard', '2KiB'];
    expect((await copied('same', ...words)).length).toBeGreaterThan(2);
    const again = ['--data', 'same/data-set.json', '--sql', 'FROM data ORDER BY n'];
    const parts = await mapInto('again-same', ...again, '--format', 'jsonl');
    expect(fromJsonl(parts)).toEqual(ROWS.toSorted((a, b) => a.n - b.n));
  });
});

it('explains what is wrong with a statement, or with the command line', async () => {
  const wrong = await node.run('map', '--data', 'table.csv', '--sql', 'SELECT nope FROM data');
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toContain('nope');
  const small = await node.run(
    ...'map --data table.csv --memory 128MiB --sql'.split(' '),
    'FROM data',
  );
  expect(small.stdout).toContain('at least 320 MiB');
  const taken = await node.run(...'map --data table.csv --sql x --out table.csv'.split(' '));
  expect(taken.code).toBe(1);
  expect(taken.stderr).toContain('"table.csv" cannot be written: a part of the path is not');
  const nowhere = await node.run(...'map --data table.csv --sql x --out /proc/none/x'.split(' '));
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain('"/proc/none/x" cannot be written: there is no such');
  const files = {
    'broken.json': '{',
    'other.json': '{"format":"csv"}',
    'leads-out.json': JSON.stringify({
      format: 'csv',
      shards: [{ digest: '0'.repeat(64), sizeBytes: 1, file: '../table.csv' }],
    }),
    'data.txt': 'no table',
    'wrong.parquet': 'no table',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(node.folder, name), text);
  for (const [words, message] of [
    ['map --sql x', '--data FILE is missing'],
    ['map --data table.csv', 'Give the work'],
    ['map --data table.csv --by b', 'go together'],
    ['map --data table.csv --sql x --csv delimiter=;', 'Unrecognized key'],
    ['map --data table.csv --sql x --csv header=yes', '--csv header: '],
    ['map --data table.csv --sql x --csv skip=some', '--csv skip: '],
    ['map --data table.csv --sql SELECT --trusted', '--trusted is for a command over the shards'],
    ['map --data table.csv --sql SELECT --input a', '--input is for a command over the shards'],
    ['map --data table.csv --sql SELECT --module a.ts', '--task NAME names: give both'],
    ['map --data table.csv -- cat {in}', '{in} and {out}'],
    ['map --data data.txt --sql x', 'must end with .csv'],
    ['map --data table.csv --data table.jsonl --sql x', 'must have one format'],
    ['map --data broken.json --sql x', 'not a manifest'],
    ['map --data other.json --sql x', 'shards'],
    ['map --data leads-out.json --sql x', 'file'],
    ['map --data other.json --data table.csv --sql x', 'one manifest'],
  ] as const) {
    const { code, stderr } = await node.run(...words.split(' '));
    expect([words, code, stderr]).toEqual([words, 2, expect.stringContaining(message)]);
  }
  const noTable = await node.run('map', '--data', 'wrong.parquet', '--sql', 'FROM data');
  expect(noTable).toMatchObject({ code: 1, stdout: expect.stringContaining('wrong.parquet') });
}, 60_000);
