/** The parts of files that a plan names, and a file whose parts were not fetched. */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { writeRows } from '../testing/parquet.ts';
import { openEngines } from './engines.ts';
import { boundsOf } from './memory.ts';
import { scansIn } from './needs.ts';

const scan = (Projections: string | string[], Filters: string | string[] = []) => [
  { name: 'X', children: [{ name: 'READ_PARQUET', extra_info: { Projections, Filters } }] },
];

it('reads columns and conditions from a plan', () => {
  const columns = ['a', 'ab', 'we ird', 's'];
  const plan = scan(['a', 's.x'], ['we ird>5 AND we ird<=7.5', "ab='it''s AND a=1'"]);
  expect(scansIn(plan, columns)).toEqual([
    {
      columns: ['a', 'ab', 'we ird', 's'],
      conditions: [
        { column: 'we ird', operator: '>', literal: '5' },
        { column: 'we ird', operator: '<=', literal: '7.5' },
        { column: 'ab', operator: '=', literal: "it's AND a=1" },
      ],
    },
  ]);
});

it.each(['a>5 OR a<3', 'a>b', "a='x' AND b IS NOT NULL", 'optional: a>5', 'upper(a)=5'])(
  'skips nothing by %s',
  (filter) => {
    expect(scansIn(scan('b', filter), ['a', 'b'])[0]?.conditions).toEqual([]);
  },
);

it.each([undefined, { keys: ['id'], partitions: 3 }])(
  'fetches all where a part is missing, with %j',
  { timeout: 30_000 },
  async (by) => {
    const folder = testFolder();
    const [file, scratch, rows] = ['t.parquet', 'scratch', 'rows'].map((name) =>
      join(folder, name),
    );
    await writeRows(file!, 'SELECT i AS id, i % 3 AS k FROM range(5000) t(i)');
    const content = readFileSync(file!);
    const footer = content.readUInt32LE(content.byteLength - 8) + 8;
    writeFileSync(file!, '');
    truncateSync(file!, content.byteLength);
    const put = (from: number): void => {
      const target = openSync(file!, 'r+');
      writeSync(target, content, from, content.byteLength - from, from);
      closeSync(target);
    };
    put(content.byteLength - footer);
    for (const each of [scratch!, rows!]) mkdirSync(each);
    await using engines = openEngines();
    const calls: (number | undefined)[] = [];
    const { value } = await engines.of('')(
      'statement',
      {
        tables: { data: { files: [file!], format: 'parquet', isPartial: true } },
        sql: 'SELECT id FROM data WHERE k = 1',
        format: 'csv',
        folder: rows!,
        scratch: scratch!,
        by,
        bounds: boundsOf({ cores: 1, memoryBytes: 512 * 2 ** 20 }),
      },
      {
        async fetch(ranges) {
          // Two columns, and a filter of one.
          calls.push(ranges?.length);
          if (ranges === undefined) put(0);
        },
      },
    );
    expect(value.rows).toBe(1667);
    expect(calls).toEqual([3, undefined]);
  },
);
