import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { haveOneHeader } from './csv-headers.ts';
import { boundsOf, LEAST_MEMORY_BYTES } from './memory.ts';
import { withTables } from './session.ts';

let folder: string;
beforeEach(() => (folder = testFolder()));

async function files(...texts: readonly string[]): Promise<string[]> {
  const paths = texts.map((_, at) => join(folder, `${at}.csv`));
  for (const [at, text] of texts.entries()) await writeFile(paths[at]!, text);
  return paths;
}

it.each([
  ['equal first lines', ['a,b\n1,2\n', 'a,b\n3,4\n'], {}, true],
  ['other line ends', ['a,b\n1,2\n', 'a,b\r\n3,4\r\n'], {}, true],
  ['quoted names', ['"a,b"\n1\n', '"a,b"\n3\n'], {}, true],
  ['another order', ['a,b\n1,2\n', 'b,a\n3,4\n'], {}, false],
  ['a name of several lines', ['"a\nb",c\n1,2\n', '"a\nc",d\n3,4\n'], {}, false],
  ['empty lines before it', ['\na,b\n1,2\n', '\nb,a\n3,4\n'], {}, false],
  ['a comment before it', ['#x\na,b\n1,2\n', '#x\nb,a\n3,4\n'], { comment: '#' }, false],
  ['lines before it', ['x\na,b\n1,2\n', 'x\nb,a\n3,4\n'], { skip: 1 }, false],
  ['no header', ['1,2\n', '1,2\n'], { header: false }, false],
  ['an empty file', ['a,b\n1,2\n', ''], {}, false],
])('files with %s', async (_, texts, csv, expected) => {
  expect(haveOneHeader(await files(...texts), csv)).toBe(expected);
});

it('gives DuckDB the size of the table, by which a join holds the smaller one', async () => {
  const rows = Array.from({ length: 50_000 }, (_, i) => `${i},${'x'.repeat(20)}\n`).join('');
  const table = {
    files: await files(`id,text\n${rows}`, `id,text\n${rows}`),
    format: 'csv',
  } as const;
  const columns = { id: 'BIGINT', text: 'VARCHAR' };
  const bounds = boundsOf({ cores: 1, memoryBytes: LEAST_MEMORY_BYTES });
  const estimate = await withTables(
    { tables: { data: { ...table, columns } }, bounds, scratch: folder },
    [],
    async ({ rows: ask }) => JSON.stringify(await ask('EXPLAIN (FORMAT json) FROM data')),
  );
  const [, found] = /Estimated Cardinality[\\": ]+(\d+)/.exec(estimate) ?? [];
  expect(Number(found)).toBeGreaterThan(50_000);
});
