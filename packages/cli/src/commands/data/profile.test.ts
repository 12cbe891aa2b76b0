/** Profiles of tables against plain loops, and against what was planted in the tables. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { runCli } from '../../testing/cli.ts';
import type { ShownProfile } from '../../output/profile.ts';

const TIMEOUT = 180_000;
const ROWS = 60_000;
const CITIES = ['Oslo', 'Rome', "L'Aquila, <b>"];

interface Row {
  readonly id: number;
  readonly size: number | undefined;
  readonly double: number | undefined;
  readonly city: string;
  readonly same: number;
}

/** @param shift of the sizes, in deviations. */
function rowsOf(shift: number, cities: readonly string[]): Row[] {
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  return Array.from({ length: ROWS }, (_, id) => {
    const sum = random() + random() + random() - 1.5;
    const size = id % 10 === 0 ? undefined : 100 + (sum + shift / 2) * 10;
    const city = cities[Math.floor(random() ** 2 * cities.length)]!;
    return { id, size, double: size === undefined ? undefined : size * 2, city, same: 7 };
  });
}

const NAMES = ['id', 'size', 'double', 'city', 'same'] as const;
const csvOf = (rows: readonly Row[]): string =>
  [NAMES.join(','), ...rows.map((row) => NAMES.map((name) => cell(row[name])).join(','))].join(
    '\n',
  );
const cell = (value: string | number | undefined): string =>
  typeof value === 'string' ? `"${value}"` : String(value ?? '');

let folder: string;
const rows = rowsOf(0, CITIES);
beforeAll(async () => {
  folder = testFolder();
  // The last two rows are there once more.
  await writeFile(join(folder, 'table.csv'), csvOf([...rows, ...rows.slice(-2)]));
  await writeFile(join(folder, 'later.csv'), csvOf(rowsOf(1, [...CITIES, 'Bonn'])));
  await writeFile(join(folder, 'alike.csv'), csvOf(rowsOf(0, CITIES).reverse().slice(0, 900)));
});

async function profiled(...words: string[]): Promise<ShownProfile> {
  const { code, stdout, stderr } = await runCli(['data', 'profile', ...words, '--json'], {
    cwd: folder,
  });
  expect(code, stderr + stdout).toBe(0);
  return JSON.parse(stdout) as ShownProfile;
}

it(
  'gives the figures of a plain loop',
  async () => {
    const profile = await profiled('table.csv', '--out', 'page.html');
    expect(profile).toMatchObject({ rows: ROWS + 2, duplicates: 2 });
    const [id, size, , city, same] = profile.columns;
    const all = [...rows, ...rows.slice(-2)];
    const sizes = all.flatMap((row) => row.size ?? []).sort((a, b) => a - b);
    const mean = sizes.reduce((sum, each) => sum + each, 0) / sizes.length;
    const squares = sizes.reduce((sum, each) => sum + (each - mean) ** 2, 0);
    expect(size).toMatchObject({ kind: 'number', missing: all.length - sizes.length });
    expect(size).toMatchObject({ min: sizes[0], max: sizes.at(-1), infinite: 0 });
    expect(size!.mean).toBeCloseTo(mean, 9);
    expect(size!.deviation).toBeCloseTo(Math.sqrt(squares / (sizes.length - 1)), 9);
    for (const { share, value } of size!.quantiles!) {
      const at = share * (sizes.length - 1);
      const [below, above] = [sizes[Math.floor(at)]!, sizes[Math.ceil(at)]!];
      expect(value).toBeCloseTo(below + (above - below) * (at % 1), 9);
    }
    const width = (sizes.at(-1)! - sizes[0]!) / 20;
    const third = sizes.filter((each) => Math.floor((each - sizes[0]!) / width) === 2).length;
    expect(size!.histogram![2]!.count).toBe(third);
    expect(size!.histogram!.reduce((sum, bin) => sum + bin.count, 0)).toBe(sizes.length);
    // More than are counted one by one.
    expect(id!.approximate).toContain('distinct');
    expect(Math.abs(id!.distinct / ROWS - 1)).toBeLessThan(0.02);
    const counts = CITIES.map((value) => ({
      value,
      count: all.filter((row) => row.city === value).length,
    }));
    expect(city!.top).toEqual(counts.sort((a, b) => b.count - a.count));
    expect(city!.lengths).toMatchObject({ min: 4, max: 13 });
    expect(same!.distinct).toBe(1);
    const kinds = profile.warnings.map(({ kind, column }) => [kind, column]);
    expect(kinds).toEqual([
      ['unique', 'id'],
      ['constant', 'same'],
      ['leak', 'double'],
      ['duplicates', undefined],
    ]);
    const page = await readFile(join(folder, 'page.html'), 'utf8');
    expect(page).toContain('L&#39;Aquila, &lt;b&gt;');
    expect(page).not.toMatch(/<script|https?:|<b>/);
  },
  TIMEOUT,
);

it(
  'names what changed, and takes a small sample of the same for the same',
  async () => {
    const later = await profiled('later.csv', '--against', 'table.csv');
    const changes = new Map(later.changes!.map((each) => [each.name, each]));
    expect(changes.get('size')).toMatchObject({ change: 'large' });
    expect(changes.get('city')!.notes).toEqual(['new: Bonn']);
    expect(changes.get('same')).toMatchObject({ change: 'none', stability: 0, distance: 0 });

    // The index of the shares of the deciles by hand.
    const before = rows.flatMap((row) => row.size ?? []).sort((a, b) => a - b);
    expect(changes.get('size')!.stability).toBeCloseTo(indexOf(before), 2);

    const alike = await profiled('alike.csv', '--against', 'table.csv');
    const kinds = alike.changes!.map(({ name, change }) => [name, change]);
    expect(kinds.filter(([name]) => name !== 'id')).toEqual(
      ['size', 'double', 'city', 'same'].map((name) => [name, 'none']),
    );
  },
  TIMEOUT,
);

/** The population stability index of the later sizes over deciles of the earlier ones, and the missing. */
function indexOf(before: readonly number[]): number {
  const edges = Array.from(
    { length: 9 },
    (_, at) => before[Math.floor(((at + 1) * before.length) / 10)]!,
  );
  const sharesOf = (values: readonly (number | undefined)[]): number[] => {
    const counts = Array.from({ length: 11 }, () => 0);
    for (const value of values) {
      const part = value === undefined ? 10 : edges.filter((edge) => edge < value).length;
      counts[part]! += 1;
    }
    return counts.map((count) => Math.max(0.0001, count / values.length));
  };
  const [p, q] = [rowsOf(1, CITIES), rows].map((each) => sharesOf(each.map((row) => row.size)));
  return p!.reduce((sum, share, at) => sum + (share - q![at]!) * Math.log(share / q![at]!), 0);
}

it(
  'finds correlations of a large table from a sample of its rows, and marks them',
  async () => {
    const lines = Array.from({ length: 1_100_000 }, (_, row) => {
      const [a, noise] = [(row * 7919) % 10_007, (row * 104_729) % 10_009];
      return `${a},${a + noise}`;
    });
    await writeFile(join(folder, 'large.csv'), `a,sum\n${lines.join('\n')}\n`);
    const [found] = (await profiled('large.csv')).associations;
    expect(found).toMatchObject({ measure: 'pearson', approximate: true });
    expect(found!.value).toBeCloseTo(Math.SQRT1_2, 2);
  },
  TIMEOUT,
);
