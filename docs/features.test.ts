/** FEATURES.md names tests and folders that exist, so that each promise can be looked up. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './.vitepress/pages.ts';

/** Paths are written without the beginning that their section has, and without `src/`. */
const isPath = /^(?!skein|npm|http|\/)[a-z][\w.-]*(\/[\w.-]+)+\/?$|\.test\.ts$/;

const LIST = ['ls-files', '--cached', '--others', '--exclude-standard'];

function trackedPaths(): string[] {
  const files = execFileSync('git', LIST, { cwd: ROOT, encoding: 'utf8' }).split('\n');
  const folders = files.flatMap((file) =>
    file.split('/').map((_, at, parts) => parts.slice(0, at).join('/')),
  );
  return [...new Set([...files, ...folders])].map((path) => `/${path.replaceAll('/src/', '/')}`);
}

it.skipIf(!existsSync(join(ROOT, '.git')))('names tests that exist', () => {
  const paths = trackedPaths();
  const text = readFileSync(join(ROOT, 'FEATURES.md'), 'utf8');
  const named = [...text.matchAll(/`([^`]+)`/g)]
    .map(([, code = '']) => code)
    .filter((code) => isPath.test(code));
  expect(named.length).toBeGreaterThan(100);
  const missing = named.filter((code) => {
    const wanted = `/${code.replaceAll('/src/', '/').replace(/\/$/, '')}`;
    return !paths.some((path) => path === wanted || path.endsWith(wanted));
  });
  expect(missing).toEqual([]);
});
