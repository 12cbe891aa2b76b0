/** The lint that keeps the parsing of foreign text at one place. */
import { expect, it } from 'vitest';
import { parsingLines, problemsIn } from './foreign-json.ts';

it('finds what parses text, and not what writes about it', () => {
  const source = [
    '/** Not JSON.parse. */',
    'const a = JSON.parse(text);',
    '  // JSON.parse(text)',
    'const b = texts.map(JSON.parse);',
    'const c = atob(text);',
    'const d = JSON.stringify(a);',
  ].join('\n');
  expect(parsingLines(source)).toEqual([2, 4, 5]);
});

it('names a file that is no exception, and none that is one, a test or the reader', () => {
  const parse = 'JSON.parse(text);';
  const problems = problemsIn(
    new Map([
      ['packages/server/src/gateway/new.ts', parse],
      ['packages/server/src/gateway/new.test.ts', parse],
      ['packages/server/src/gateway/testing/calls.ts', parse],
      ['packages/state/src/sqlite/rows.ts', parse],
      ['packages/api/src/foreign-json.ts', parse],
    ]),
  );
  expect(problems[0]).toMatch(
    /^packages\/server\/src\/gateway\/new\.ts:1: parses text without the bounded reader/,
  );
  expect(problems.filter((each) => !each.endsWith('parses nothing any more.'))).toHaveLength(1);
  expect(problems).toContain(
    'scripts/foreign-json.ts: packages/cli/src/file.ts parses nothing any more.',
  );
  expect(problems.join()).not.toContain('packages/state/src/sqlite/');
});
