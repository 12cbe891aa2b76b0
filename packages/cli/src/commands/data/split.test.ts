/** Splits of tables: leakage, shares and stability, by a plain loop over the written parts. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { runCli } from '../../testing/cli.ts';
import type { SplitOutcome } from './split.ts';

const TIMEOUT = 180_000;
const PARTS = ['train', 'validation', 'test'] as const;

/** 500 groups of 8 rows; every row of the second half of a group is there twice. */
const lines = Array.from({ length: 4000 }, (_, at) => {
  const group = at % 500;
  const day = new Date(Date.UTC(2026, 0, 1 + (at % 300))).toISOString().slice(0, 10);
  return `g${group},${at % 10 === 0 ? 'ill' : 'well'},${day},${Math.floor(at / 1000)}`;
});
const HEADER = 'group,label,day,visit';

let folder: string;
beforeAll(async () => {
  folder = testFolder();
  await writeFile(join(folder, 'table.csv'), [HEADER, ...lines].join('\n'));
  const more = Array.from({ length: 400 }, (_, at) => `new${at},well,2026-01-01,1`);
  await writeFile(join(folder, 'more.csv'), [HEADER, ...more, ...lines].join('\n'));
});

async function split(file: string, out: string, ...words: string[]) {
  const { code, stdout, stderr } = await runCli(
    ['data', 'split', file, '--out', out, ...words, '--json'],
    { cwd: folder },
  );
  expect(code, stderr + stdout).toBe(0);
  const parts = new Map<string, string[]>();
  for (const part of PARTS) {
    const files = (await readdir(join(folder, out, part))).filter((name) => name.endsWith('.csv'));
    const texts = await Promise.all(
      files.map((name) => readFile(join(folder, out, part, name), 'utf8')),
    );
    parts.set(
      part,
      texts.flatMap((text) => text.trim().split('\n').slice(1)),
    );
  }
  return { outcome: JSON.parse(stdout) as SplitOutcome, parts };
}

/** The parts of each value of a key. */
function placesOf(parts: ReadonlyMap<string, string[]>, key: (line: string) => string) {
  const places = new Map<string, Set<string>>();
  for (const [part, rows] of parts) {
    for (const row of rows) places.set(key(row), (places.get(key(row)) ?? new Set()).add(part));
  }
  return places;
}
const group = (line: string): string => line.split(',')[0]!;
const inMany = (places: ReturnType<typeof placesOf>): number =>
  [...places.values()].filter((each) => each.size > 1).length;

it(
  'keeps groups together, where they were when rows are added, and loses no row',
  async () => {
    const { outcome, parts } = await split('table.csv', 'a', '--by', 'group', '--seed', '3');
    expect([...parts.values()].flat().sort()).toEqual([...lines].sort());
    expect(outcome).toMatchObject({ rows: 4000, sharedRows: 0, sharedGroups: 0 });
    const places = placesOf(parts, group);
    expect(inMany(places)).toBe(0);
    expect(outcome.train / 4000).toBeGreaterThan(0.74);
    expect(outcome.train / 4000).toBeLessThan(0.86);
    const { parts: later } = await split('more.csv', 'b', '--by', 'group', '--seed', '3');
    const now = placesOf(later, group);
    for (const [name, place] of places) expect(now.get(name)).toEqual(place);
  },
  TIMEOUT,
);

it(
  'keeps equal rows together, with the same share of each label, or by time',
  async () => {
    const { outcome, parts } = await split('table.csv', 'c', '--label', 'label');
    expect([...parts.values()].flat().sort()).toEqual([...lines].sort());
    expect(inMany(placesOf(parts, (line) => line))).toBe(0);
    expect(outcome.sharedRows).toBe(0);
    for (const part of PARTS) {
      const rows = parts.get(part)!;
      const ill = rows.filter((line) => line.includes(',ill,')).length;
      expect(Math.abs(ill / rows.length - 0.1)).toBeLessThan(0.01);
      const counted = outcome.labels!.find((each) => each.part === part && each.label === 'ill');
      expect(counted!.rows).toBe(ill);
    }
    const { parts: byTime, outcome: timed } = await split('table.csv', 'd', '--by-time', 'day');
    const days = PARTS.map((part) =>
      byTime
        .get(part)!
        .map((line) => line.split(',')[2]!)
        .sort(),
    );
    expect(days.flat()).toHaveLength(4000);
    expect(days[0]!.at(-1)! < days[1]![0]!).toBe(true);
    expect(days[1]!.at(-1)! < days[2]![0]!).toBe(true);
    expect(Math.abs(timed.train / 4000 - 0.8)).toBeLessThan(0.01);
  },
  TIMEOUT,
);
