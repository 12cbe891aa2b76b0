/** Duplicates by the command, against a loop over all pairs. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import {
  centresOf,
  drawing,
  jaccardOf,
} from '../../../../data/src/dedupe/testing/similar-texts.ts';
import { runCli } from '../../testing/cli.ts';
import type { DedupeOutcome } from './dedupe.ts';

const TIMEOUT = 240_000;
const HEADER = 'id,day,text';

let folder: string;
beforeAll(() => {
  folder = testFolder();
});

async function deduped(files: readonly string[], out: string, ...words: string[]) {
  const { code, stdout, stderr } = await runCli(
    ['data', 'dedupe', ...files, '--out', out, ...words, '--json'],
    { cwd: folder },
  );
  expect(code, stderr + stdout).toBe(0);
  const names = (await readdir(join(folder, out))).filter((name) => name.endsWith('.csv'));
  expect(names).toHaveLength(1);
  const text = await readFile(join(folder, out, names[0]!), 'utf8');
  const lines = text.trim().split('\n').slice(1);
  return { outcome: JSON.parse(stdout) as DedupeOutcome, lines };
}

const write = (name: string, lines: readonly string[]): Promise<void> =>
  writeFile(join(folder, name), [HEADER, ...lines, ''].join('\n'));

it('keeps the first of equal rows, and of rows with equal keys', { timeout: TIMEOUT }, async () => {
  const lines = ['2,5,b', '1,5,a', '2,5,b', '3,,c', '3,9,c', '2,7,b', '3,,c'];
  await write('few.csv', lines);
  const rows = await deduped(['few.csv'], 'rows');
  expect(rows.outcome).toMatchObject({ rows: 7, kept: 5, removed: 2 });
  expect(rows.lines).toEqual(['2,5,b', '1,5,a', '3,,c', '3,9,c', '2,7,b']);
  const first = await deduped(['few.csv'], 'first', '--by', 'id', '--by', 'text');
  expect(first.lines).toEqual(['2,5,b', '1,5,a', '3,,c']);
  const last = await deduped(['few.csv'], 'last', '--by', 'id', '--order', 'day desc');
  expect(last.lines).toEqual(['1,5,a', '3,9,c', '2,7,b']);
  const counted = await runCli(['data', 'dedupe', 'few.csv', '--json'], { cwd: folder });
  expect(JSON.parse(counted.stdout)).toEqual({ rows: 7, kept: 5, removed: 2 });
});

/** Texts with planted copies that differ by some words, copies of these, and equal ones. */
function planted(): { readonly id: number; readonly text: string }[] {
  const draw = drawing(11);
  const texts: string[][] = [];
  for (let at = 0; at < 400; at++) {
    const text = Array.from({ length: 8 + draw.below(30) }, () => draw.word());
    texts.push(text);
    for (let copies = draw.below(5) - 2; copies > 0; copies--) {
      const copy = [...texts.at(-1)!];
      for (let edits = draw.below(3); edits > 0; edits--)
        copy[draw.below(copy.length)] = draw.word();
      texts.push(copy);
    }
  }
  return texts.map((text, id) => ({ id, text: text.join(' ') }));
}

it.each(['characters', 'words'] as const)(
  'keeps one row of each group of texts with similar %s',
  async (kind) => {
    const texts = planted();
    const pairs: [number, number][] = [];
    for (const one of texts) {
      for (const other of texts.slice(0, one.id)) {
        if (jaccardOf(one.text, other.text, kind) >= 0.8) pairs.push([one.id, other.id]);
      }
    }
    const centres = centresOf(pairs);
    const removed = new Set([...centres].flatMap(([one, centre]) => (one === centre ? [] : [one])));
    expect(removed.size).toBeGreaterThan(80);
    const lines = ['9001,1,', '9002,1,', ...texts.map(({ id, text }) => `${id},1,${text}`)];
    await write(`${kind}.csv`, lines);
    const words = ['--near', 'text', '--shingles', kind, '--order', 'id'];
    const found = await deduped([`${kind}.csv`], `${kind}-kept`, ...words);
    const kept = new Set(found.lines.map((line) => Number(line.split(',')[0])));
    // Rows without a text are all kept.
    expect(kept.has(9001) && kept.has(9002)).toBe(true);
    const gone = texts.filter(({ id }) => !kept.has(id)).map(({ id }) => id);
    expect(gone.filter((id) => !removed.has(id))).toEqual([]);
    expect(gone.length / removed.size).toBeGreaterThan(0.99);
    expect(found.outcome).toMatchObject({ rows: lines.length, removed: gone.length });
    // In another order, in two files, the same rows are kept.
    await write(`${kind}-1.csv`, lines.slice(100).reverse());
    await write(`${kind}-2.csv`, lines.slice(0, 100));
    const files = [`${kind}-1.csv`, `${kind}-2.csv`];
    const again = await deduped(files, `${kind}-again`, ...words);
    expect(again.lines.toSorted()).toEqual(found.lines.toSorted());
    // The rows that are kept have the order of the files.
    const keptLines = new Set(again.lines);
    expect(again.lines).toEqual(
      [...lines.slice(100).reverse(), ...lines.slice(0, 100)].filter((line) => keptLines.has(line)),
    );
  },
  TIMEOUT,
);

it('takes texts that are larger than its memory', { timeout: TIMEOUT }, async () => {
  const draw = drawing(13);
  const lines: string[] = [];
  for (let at = 0; lines.length < 140_000; at++) {
    const text = Array.from({ length: 250 }, () => draw.word());
    lines.push(`${lines.length},1,${text.join(' ')}`);
    if (at % 50 === 0) lines.push(`${lines.length},2,${text.slice(1).join(' ')}`);
  }
  await write('large.csv', lines);
  const bounds = ['--memory', '320MiB', '--cores', '1'];
  const { outcome } = await deduped(['large.csv'], 'large', '--near', 'text', ...bounds);
  expect(lines.length * lines[0]!.length).toBeGreaterThan(128 * 2 ** 20);
  const copies = lines.filter((line) => line.split(',')[1] === '2').length;
  expect(outcome).toMatchObject({ removed: copies, groups: copies });
});

it.each([
  [['--near', 'text', '--by', 'id'], /--near excludes --by/],
  [['--threshold', '0.5'], /--threshold and --shingles are for --near/],
  [['--near', 'id'], /"id" is BIGINT, and texts are compared/],
  [['--order', 'size desc'], /no column "size"/],
  [['--by', 'size'], /no column "size"/],
  [['--note', 'x'], /--save NAME: give both/],
])('refuses %j', { timeout: TIMEOUT }, async (words, message) => {
  await write('few.csv', ['1,5,a']);
  const { code, stderr } = await runCli(['data', 'dedupe', 'few.csv', ...words], { cwd: folder });
  expect({ code: code !== 0, stderr }).toEqual({
    code: true,
    stderr: expect.stringMatching(message),
  });
});
