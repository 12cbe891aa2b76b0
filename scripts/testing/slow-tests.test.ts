import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { expect, it } from 'vitest';
import { LONG_TESTS } from './longest-first.ts';
import { SLOW_TESTS } from './slow-tests.ts';

const root = join(import.meta.dirname, '../..');

it('names files and folders that exist', () => {
  expect(SLOW_TESTS.filter((file) => !existsSync(join(root, file.replace('**', ''))))).toEqual([]);
  expect(LONG_TESTS.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});

it('has every long file among the slow ones', () => {
  const isSlow = (file: string) => SLOW_TESTS.some((slow) => matchesGlob(file, slow));
  expect(LONG_TESTS.filter((file) => !isSlow(file))).toEqual([]);
});

it('holds for every project of the runner', () => {
  const left = SLOW_TESTS.flatMap((file) => ['--exclude', file]);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const { stdout } = spawnSync(process.execPath, [vitest, 'list', '--filesOnly', ...left], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = stdout
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\[\w+\] /, ''));
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter((file) => SLOW_TESTS.some((slow) => matchesGlob(file, slow)))).toEqual([]);
});
