/** The page of features is short, and each promise of the evidence leads to tests that run. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesAt, namedPaths, repositoryFiles, rowsOf } from '../scripts/evidence.ts';
import { ROOT } from './.vitepress/pages.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The beginning of a test that is not skipped in any case; `skipIf` depends on the machine. */
const TEST = /\b(?:it|test)(?:\.(?:skipIf|runIf|each|concurrent|sequential)\b)*\s*[(<`]/;

/** @returns why a path of the matrix is no evidence; undefined if it is. */
function faultOf(named: string, files: readonly string[], textOf: (path: string) => string) {
  const found = filesAt(named, files);
  if (found.length === 0) return `${named} does not exist`;
  if (!named.endsWith('.test.ts')) return undefined;
  return found.some((path) => TEST.test(textOf(path))) ? undefined : `${named} runs no test`;
}

it('fits on a page: at most fifty rows, each with one of three states', () => {
  const rows = read('FEATURES.md')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  expect(rows.length).toBeGreaterThan(30);
  expect(rows.length).toBeLessThanOrEqual(50);
  for (const row of rows) {
    expect(['works', 'partly', 'planned']).toContain(row.split('|')[3]?.trim());
  }
});

describe.skipIf(!existsSync(join(ROOT, '.git')))('the evidence', () => {
  it('names tests that exist and run', () => {
    const files = repositoryFiles();
    const named = rowsOf(read('docs/reference/evidence.md')).flatMap(({ evidence }) =>
      namedPaths(evidence),
    );
    expect(named.length).toBeGreaterThan(100);
    expect(named.flatMap((path) => faultOf(path, files, read) ?? [])).toEqual([]);
  });

  it('is refused where a test is missing, or all of its tests are skipped', () => {
    const files = ['packages/a/src/b/kept.test.ts', 'packages/a/src/b/skipped.test.ts'];
    const textOf = (path: string): string =>
      path.includes('kept') ? "it('works', () => {})" : "it.skip('works', () => {})";
    expect(faultOf('b/kept.test.ts', files, textOf)).toBeUndefined();
    expect(faultOf('a/b', files, textOf)).toBeUndefined();
    expect(faultOf('b/skipped.test.ts', files, textOf)).toBe('b/skipped.test.ts runs no test');
    expect(faultOf('b/gone.test.ts', files, textOf)).toBe('b/gone.test.ts does not exist');
  });
});
