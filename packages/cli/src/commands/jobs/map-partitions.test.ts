/** `skein map --partition-by` on a real node. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { query } from '../../../../data/src/testing/parquet.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import type { MapOutcome } from './map.ts';

const TIMEOUT = 60_000;
/** Values that are special in paths. */
const PLACES = ['Ulm', '../x', '..', 'a/b', 'a%2Fb', 'é = ü\\', ''];

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ jobs: true });
  const rows = PLACES.flatMap((place) => [1, 2].map((n) => ({ place, year: 2024 + n, n })));
  writeFileSync(
    join(node.folder, 't.jsonl'),
    rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
  );
});
afterAll(() => node.stop());

it.each(['csv', 'jsonl', 'parquet'])(
  'writes folders that no value leads out of, as %s',
  { timeout: TIMEOUT },
  async (format) => {
    const before = readdirSync(node.folder).length;
    const words = `map --data t.jsonl --format ${format} --out ${format} --partition-by place --partition-by year --sql`;
    const { shards } = await node.json<MapOutcome>(...words.split(' '), 'FROM data');
    expect(shards).toBe(PLACES.length * 2);
    expect(readdirSync(node.folder)).toHaveLength(before + 1);
    const out = join(node.folder, format);
    expect(readdirSync(out).sort()).toEqual(
      ['data-set.json', ...PLACES.map((place) => `place=${encodeURIComponent(place)}`)].sort(),
    );
    const reader = { csv: 'read_csv', jsonl: 'read_json', parquet: 'read_parquet' }[format];
    const found = await query(
      `SELECT coalesce(place, '') AS place, count(*)::INTEGER AS n FROM ${reader}('${out}/*/*/*.${format}') GROUP BY ALL`,
    );
    const counts = PLACES.map((place) => ({ place, n: 2 }));
    expect(new Set(found)).toEqual(new Set(counts));
    // The manifest is a table again.
    const again = ['map', '--data', `${format}/data-set.json`, '--format', 'csv', '--sql'];
    const { rows } = await node.json<MapOutcome>(
      ...again,
      'SELECT count(DISTINCT (place, year)) AS n FROM data',
    );
    expect(rows).toBe('n\n14\n');
  },
);

it.each([
  ['--sql', 'FROM data'],
  ['--out', 'x', '--', 'cp', '{in}', '{out}'],
])('needs a statement and a folder: %s', { timeout: TIMEOUT }, async (...words) => {
  const refused = await node.run('map', '--data', 't.jsonl', '--partition-by', 'place', ...words);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--partition-by') });
});

it('names the columns where one is missing', { timeout: TIMEOUT }, async () => {
  const words = 'map --data t.jsonl --out none --partition-by city --sql'.split(' ');
  const refused = await node.run(...words, 'FROM data');
  expect(refused.code).toBe(1);
  expect(refused.stdout + refused.stderr).toMatch(/city/);
  expect(readFileSync(join(node.folder, 't.jsonl'), 'utf8')).not.toBe('');
});
