/** Samples by the command: sizes, shares, chance, and the same rows for a seed. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { runCli } from '../../testing/cli.ts';
import type { SampleOutcome } from './sample.ts';

const TIMEOUT = 180_000;
const ROWS = 5000;

/** A tenth is ill, and one row of 500 has no label; each number is there twice. */
const lines = Array.from({ length: ROWS }, (_, at) => {
  const label = at % 500 === 0 ? '' : at % 10 === 1 ? 'ill' : 'well';
  return `${Math.floor(at / 2)},${label}`;
});

let folder: string;
beforeAll(async () => {
  folder = testFolder();
  const write = (name: string, rows: readonly string[]): Promise<void> =>
    writeFile(join(folder, name), ['number,label', ...rows, ''].join('\n'));
  await write('table.csv', lines);
  await write('one.csv', lines.slice(1700).reverse());
  await write('two.csv', lines.slice(0, 1700));
});

async function sampled(files: readonly string[], out: string, ...words: string[]) {
  const { code, stdout, stderr } = await runCli(
    ['data', 'sample', ...files, '--out', out, ...words, '--json'],
    { cwd: folder },
  );
  expect(code, stderr + stdout).toBe(0);
  const [name] = (await readdir(join(folder, out))).filter((each) => each.endsWith('.csv'));
  const rows = (await readFile(join(folder, out, name!), 'utf8')).trim().split('\n').slice(1);
  const outcome = JSON.parse(stdout) as SampleOutcome;
  expect(outcome).toMatchObject({ rows: ROWS, taken: rows.length });
  return { outcome, rows };
}

it(
  'takes that many rows by chance, the same ones in another order of the files',
  async () => {
    const { rows } = await sampled(['table.csv'], 'a', '--rows', '600');
    expect(rows).toHaveLength(600);
    // In the order of the file, and of no part of it.
    const numbers = rows.map((row) => Number(row.split(',')[0]));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    const mean = numbers.reduce((sum, each) => sum + each, 0) / 600;
    expect(Math.abs(mean - ROWS / 4)).toBeLessThan(120);
    const { rows: again } = await sampled(['one.csv', 'two.csv'], 'b', '--rows', '600');
    expect(again.toSorted()).toEqual(rows.toSorted());
    const { rows: other } = await sampled(['table.csv'], 'c', '--rows', '600', '--seed', '1');
    expect(rows.filter((row) => other.includes(row)).length).toBeLessThan(150);
    const { rows: share } = await sampled(['table.csv'], 'd', '--share', '0.2');
    expect(Math.abs(share.length / ROWS - 0.2)).toBeLessThan(0.02);
    const { rows: shareAgain } = await sampled(['one.csv', 'two.csv'], 'e', '--share', '0.2');
    expect(shareAgain.toSorted()).toEqual(share.toSorted());
  },
  TIMEOUT,
);

it(
  'takes the same share of each value, and no more rows than there are',
  async () => {
    const counts = (rows: readonly string[]) =>
      Map.groupBy(rows, (row) => row.split(',')[1]!).entries();
    const share = await sampled(['table.csv'], 'f', '--share', '0.1', '--by', 'label');
    const [all, taken] = [new Map(counts(lines)), new Map(counts(share.rows))];
    for (const [label, rows] of all) {
      expect(Math.abs(taken.get(label)!.length - rows.length / 10)).toBeLessThanOrEqual(0.5);
      const shown = share.outcome.strata!.find(({ value }) => (value ?? '') === label);
      expect(shown).toMatchObject({ rows: rows.length, taken: taken.get(label)!.length });
    }
    const exact = await sampled(['two.csv', 'one.csv'], 'g', '--rows', '1000', '--by', 'label');
    expect(exact.rows).toHaveLength(1000);
    for (const [label, rows] of counts(exact.rows)) {
      expect(Math.abs(rows.length - all.get(label)!.length / 5)).toBeLessThanOrEqual(1);
    }
    const whole = await sampled(['table.csv'], 'h', '--rows', '9000');
    expect(whole.rows).toEqual(lines);
  },
  TIMEOUT,
);

it.each([
  [['--out', 'x'], /--rows N or --share SHARE/],
  [['--out', 'x', '--rows', '1', '--share', '0.5'], /--rows N or --share SHARE/],
  [['--rows', '1'], /--out FOLDER or --save NAME is missing/],
  [['--out', 'x', '--rows', '1', '--by', 'size'], /no column "size"/],
])('refuses %j', { timeout: TIMEOUT }, async (words, message) => {
  const { code, stderr } = await runCli(['data', 'sample', 'two.csv', ...words], { cwd: folder });
  expect({ code: code !== 0, stderr }).toEqual({
    code: true,
    stderr: expect.stringMatching(message),
  });
});
