/**
 * `npm run words [PATH…]`: finds words and sentence shapes that this project does not use, in code,
 * comments, messages and documents. `--commits` reads the subjects of commits since the hook exists;
 * `--message FILE` reads one commit message, for the hook. Exits 1 with a finding.
 *
 * A file without a finding may still be hard to read: no pattern can judge a sentence.
 */
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FILES_LEFT_OUT } from './exceptions.ts';
import { findWords } from './find.ts';

const EXTENSIONS = ['ts', 'tsx', 'mjs', 'md', 'css', 'html', 'sh', 'py', 'lua', 'sql'];

/** Paths of the files that are checked, relative to the root. */
export function checkedFiles(root: string): string[] {
  return globSync(`**/*.{${EXTENSIONS.join(',')}}`, {
    cwd: root,
    exclude: FILES_LEFT_OUT.map(({ match }) => match),
  }).sort();
}

/** The subjects of the commits that came after the hook, newest first. */
function newSubjects(root: string): string[] {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const first = git('log', '--diff-filter=A', '--format=%H', '--', '.githooks/commit-msg')
    .split('\n')
    .at(-1);
  return first === undefined || first === ''
    ? []
    : git('log', '--format=%s', `${first}..HEAD`).split('\n');
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..', '..');
  const given = process.argv.slice(2);
  const texts: readonly (readonly [name: string, text: string])[] = given.includes('--message')
    ? [['the commit subject', readFileSync(given.at(-1)!, 'utf8').split('\n')[0]!]]
    : given.includes('--commits')
      ? newSubjects(root).map((subject) => ['commit', subject])
      : checkedFiles(root)
          .filter((file) => given.length === 0 || given.some((path) => file.startsWith(path)))
          .map((file) => [file, readFileSync(join(root, file), 'utf8')]);
  let count = 0;
  for (const [name, text] of texts) {
    for (const { line, text: found, reason, instead } of findWords(name, text)) {
      count += 1;
      console.error(`${name}:${line}: ${found}\n    ${reason} For example: ${instead}`);
    }
  }
  console.log(
    count === 0 ? 'words: no finding' : `words: ${count} to rewrite, see CONTRIBUTING.md#words`,
  );
  process.exitCode = count === 0 ? 0 : 1;
}
