/** Stars of pairs against a union-find, and buckets with many texts. */
import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openEngines } from '../engine/engines.ts';
import { boundsOf } from '../engine/memory.ts';
import type { Table } from '../engine/reader.ts';
import { CANDIDATES_SQL, GROUPS_SQL, readGroups, STARS_SQL } from './near.ts';
import { centresOf, drawing } from './testing/similar-texts.ts';

const TIMEOUT = 120_000;
const engines = openEngines();
const ask = engines.of('tests');
afterAll(() => engines[Symbol.asyncDispose]());

const folder = testFolder();
let statements = 0;

async function answer(sql: string, tables: Readonly<Record<string, Table>>): Promise<Table> {
  const target = join(folder, `${++statements}`);
  mkdirSync(target);
  const bounds = boundsOf({ cores: 1, memoryBytes: 512 * 2 ** 20 });
  const given = { tables, sql, format: 'jsonl', folder: target, bounds, scratch: target } as const;
  const { value } = await ask('statement', given);
  return { files: value.files.flat(), format: 'jsonl' };
}

async function table(rows: readonly object[]): Promise<Table> {
  const file = join(folder, `${++statements}.jsonl`);
  await writeFile(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return { files: [file], format: 'jsonl' };
}

async function rowsOf<Row>({ files }: Table): Promise<Row[]> {
  const text = await readFile(files[0]!, 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Row);
}

interface Pair {
  readonly a: number;
  readonly b: number;
}

/** A path through all of some numbers in a drawn order: the connected part that takes the most steps. */
function path(from: number, length: number, below: (most: number) => number): Pair[] {
  const left = Array.from({ length }, (_, at) => from + at);
  const order = Array.from({ length }, () => left.splice(below(left.length), 1)[0]!);
  return order.slice(1).map((one, at) => {
    const other = order[at]!;
    return { a: Math.min(one, other), b: Math.max(one, other) };
  });
}

it('groups what pairs connect', { timeout: TIMEOUT }, async () => {
  const { below } = drawing(5);
  const given = path(0, 300, below);
  for (let at = 0; at < 400; at++) {
    const [one, other] = [1000 + below(500), 1000 + below(500)];
    if (one !== other) given.push({ a: Math.min(one, other), b: Math.max(one, other) });
  }
  let pairs = await table(given);
  let steps = 0;
  for (;;) {
    const [row] = await rowsOf<Record<string, unknown>>(await answer(GROUPS_SQL, { pairs }));
    const { areStars, groups } = readGroups(row!);
    const centres = centresOf(given.map(({ a, b }) => [a, b]));
    if (areStars) {
      const found = await rowsOf<Pair>(pairs);
      const expected = [...centres].filter(([one, centre]) => one !== centre);
      const sorted = (all: [number, number][]) => all.sort(([one], [other]) => one - other);
      expect(sorted(found.map(({ a, b }) => [b, a]))).toEqual(sorted(expected));
      expect(groups).toBe(new Set(centres.values()).size);
      break;
    }
    expect(steps++).toBeLessThan(12);
    pairs = await answer(STARS_SQL, { pairs });
  }
  expect(steps).toBeGreaterThan(1);
});

it(
  'compares each text with some of a large bucket, and with all of a small one',
  { timeout: TIMEOUT },
  async () => {
    const large = Array.from({ length: 2000 }, (_, unit) => ({ unit, buckets: [1] }));
    const small = Array.from({ length: 30 }, (_, at) => ({ unit: 5000 + at, buckets: [2, 3] }));
    const bands = await table([...large, ...small, { unit: 9000, buckets: [4] }]);
    const buckets = await table([{ bucket: 1 }, { bucket: 2 }, { bucket: 3 }]);
    const pairs = await rowsOf<Pair>(await answer(CANDIDATES_SQL, { bands, buckets }));
    const few = pairs.filter(({ a }) => a >= 5000);
    expect(few).toHaveLength((30 * 29) / 2);
    const many = pairs.filter(({ a }) => a < 5000);
    expect(many.length).toBeLessThan(2000 * 64);
    // They are connected all the same.
    const centres = centresOf(many.map(({ a, b }) => [a, b]));
    expect(centres.size).toBe(2000);
    expect(new Set(centres.values()).size).toBe(1);
    expect(pairs.every(({ a, b }) => a < b)).toBe(true);
  },
);
