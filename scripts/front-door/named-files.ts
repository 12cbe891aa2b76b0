/** Files that modules read from their own folder: scripts of Python, pages, threads. A package must contain them. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** `new URL('x.py', import.meta.url)` and `join(import.meta.dirname, 'x.py')`. */
const NAMED = [
  /new URL\(\s*(['"`])(?<path>[^'"`$:]+)\1,\s*import\.meta\.url\s*,?\s*\)/g,
  /join\(\s*import\.meta\.dirname,\s*(['"`])(?<path>[^'"`$:]+)\1\s*,?\s*\)/g,
];
/** Pages read their bundle where it exists, and no source; a bundle runs in a browser. */
const OF_PAGES = /(^|\/)(pages\.js$|bundle\/)/;

/** @returns each file that a module names and that is absent, such as `cli/src/a.js: x.py`. */
export function absentFiles(folder: string): readonly string[] {
  return globSync('**/*.js', { cwd: folder })
    .filter((module) => !OF_PAGES.test(module))
    .flatMap((module) => {
      const text = readFileSync(join(folder, module), 'utf8');
      const paths = NAMED.flatMap((form) =>
        [...text.matchAll(form)].map(({ groups }) => groups!['path']!),
      );
      return paths
        .filter((path) => !existsSync(join(folder, dirname(module), path)))
        .map((path) => `${module}: ${path}`);
    })
    .toSorted();
}
