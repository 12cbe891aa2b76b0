/**
 * `npm run evidence -- WORDS`: runs the tests that the rows of `docs/reference/evidence.md` with these words
 * name. Each path there leaves out the beginning that its section has, and `src/`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const LIST = ['ls-files', '--cached', '--others', '--exclude-standard'];
const PATH = /^(?!skein|npm|http|\/)[a-z][\w.-]*(\/[\w.-]+)+\/?$|\.test\.ts$/;

export interface Row {
  readonly capability: string;
  readonly evidence: string;
}

export function rowsOf(matrix: string): Row[] {
  return matrix.split('\n').flatMap((line) => {
    const [, capability = '', works = '', evidence = ''] = line
      .split('|')
      .map((cell) => cell.trim());
    return works === 'yes' || works === 'part' ? [{ capability, evidence }] : [];
  });
}

/** Paths in code, of a row or of a whole page. */
export function namedPaths(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) =>
    PATH.test(code) ? [code] : [],
  );
}

/** @returns the files of the repository under a path as the matrix writes it. */
export function filesAt(named: string, files: readonly string[]): string[] {
  const wanted = `/${named.replaceAll('/src/', '/').replace(/\/$/, '')}`;
  return files.filter((file) => {
    const path = `/${file.replaceAll('/src/', '/')}`;
    return path.endsWith(wanted) || path.includes(`${wanted}/`);
  });
}

export function repositoryFiles(): string[] {
  return execFileSync('git', LIST, { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean);
}

if (import.meta.main) {
  const words = process.argv.slice(2).map((word) => word.toLowerCase());
  const rows = rowsOf(readFileSync(join(ROOT, 'docs/reference/evidence.md'), 'utf8')).filter(
    ({ capability }) => words.every((word) => capability.toLowerCase().includes(word)),
  );
  const files = repositoryFiles();
  const named = rows.flatMap(({ evidence }) => namedPaths(evidence));
  const tests = named
    .flatMap((path) => filesAt(path, files))
    .filter((path) => path.endsWith('.test.ts'));
  if (words.length === 0 || tests.length === 0) {
    process.stderr.write(
      'No row with these words names a test. Fix: npm run evidence -- WORDS of a capability in docs/reference/evidence.md\n',
    );
    process.exit(1);
  }
  for (const { capability } of rows) process.stdout.write(`${capability}\n`);
  const run = [join(ROOT, 'scripts/test.ts'), ...new Set(tests)];
  process.exit(spawnSync(process.execPath, run, { cwd: ROOT, stdio: 'inherit' }).status ?? 1);
}
