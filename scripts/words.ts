/**
 * `npm run words`: finds words that this project does not use in identifiers, comments, messages and
 * documents. CONTRIBUTING.md says what to write instead. Exits 1 when it finds one.
 *
 * It reads lines, not syntax, so that one table covers every kind of file. It cannot judge a sentence:
 * a file without a finding may still be hard to read.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Rule {
  readonly pattern: RegExp;
  readonly instead: string;
}

/** Indefinite pronouns as actors, and metaphors that once were identifiers. */
const RULES: readonly Rule[] = [
  { pattern: /nobody/i, instead: 'the thing: "no caller", "no worker", "the queue is empty"' },
  { pattern: /somebody|someone/i, instead: 'the actor: "a caller", "an operator", "a client"' },
  { pattern: /whoever/i, instead: 'the actor: "the caller that", "a client that"' },
  { pattern: /anybody|anyone/i, instead: 'the actor: "any caller", "any client"' },
  { pattern: /everybody|everyone/i, instead: 'the actors: "all callers", "every tenant"' },
  { pattern: /\bof late\b/i, instead: '"recent"' },
  { pattern: /\b[Cc]argo\b/, instead: 'what it carries: "the request", "the job", "the inputs"' },
  { pattern: /\bHeard\b|\bWorkshop\b/, instead: '"Notifications", "WorkerContext"' },
  {
    pattern: /\brequireCompany\b|\binCompany\b/,
    instead: '"assertMultiWorkerOptions", "trainDistributed"',
  },
];

/** The Unix user and group, written as code. */
const UNIX_USER = /[`'"]nobody[`'"]|\bnobody:nogroup\b/g;

const FILES = ['ts', 'tsx', 'mjs', 'md', 'css', 'html', 'sh', 'py', 'lua', 'sql'];
const LEFT_OUT = [
  '**/{node_modules,dist,coverage,.skein,.fuzz,fixtures}',
  '**/*.gen.ts',
  // Problem statements are prose about people.
  'apps/judge/problems',
  // This table, its test and the page that explains it.
  'scripts/words*',
  'CONTRIBUTING.md',
];

export interface Finding {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly instead: string;
}

export function findWords(text: string): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const seen = line.replaceAll(UNIX_USER, '');
    return RULES.filter(({ pattern }) => pattern.test(seen)).map(({ instead }) => ({
      line: index + 1,
      text: line.trim(),
      instead,
    }));
  });
}

/** Paths of the files that are checked, relative to the root. */
export function checkedFiles(root: string): string[] {
  return globSync(`**/*.{${FILES.join(',')}}`, { cwd: root, exclude: LEFT_OUT }).sort();
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  let count = 0;
  for (const file of checkedFiles(root)) {
    for (const { line, text, instead } of findWords(readFileSync(join(root, file), 'utf8'))) {
      count += 1;
      console.error(`${file}:${line}: ${text}\n    instead: ${instead}`);
    }
  }
  console.log(
    count === 0 ? 'words: no finding' : `words: ${count} to replace, see CONTRIBUTING.md#words`,
  );
  process.exitCode = count === 0 ? 0 : 1;
}
