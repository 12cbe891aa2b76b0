/**
 * `npm run lint`: text that another process wrote is parsed by `@skein/api/foreign-json` alone, which
 * bounds its size, depth and values. `JSON.parse` and `atob` stand only in the reader, in tests, and
 * in the files below, each with the reason why its text needs no bound.
 */
import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const READER = 'packages/api/src/foreign-json.ts';

/** Files, or folders that end with a slash, by the reason. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  'a copy of a value: the text was written in the same expression': [
    'packages/cli/src/output/json.ts',
    'packages/federation/src/coordinator/open-coordinator.ts',
    'packages/jobs/src/store/sqlite/sql.ts',
    'packages/server/src/language/declarations.ts',
    'packages/server/src/language/rollout/rollouts.ts',
    'packages/serving/src/composition/composition-worker.ts',
    'packages/state/src/data-sets/data-sets.ts',
    'packages/state/src/transfer/conflicts.ts',
  ],
  'rows of an SQLite file that this package alone writes, read on every claim of a job': [
    'packages/jobs/src/store/sqlite/',
  ],
  'rows of an SQLite file that this package alone writes': [
    'apps/judge/src/service/submissions/submissions.ts',
    'packages/federation/src/site/account/sqlite-account.ts',
    'packages/federation/src/site/answers.ts',
    'packages/state/src/sqlite/',
  ],
  'a file of this node that only this module writes': [
    'packages/cli/src/jobs/short-lived-node.ts',
    'packages/state/src/known/known-file.ts',
  ],
  'the manifest of this installation': [
    'packages/cli/src/commands/version.ts',
    'packages/train/src/runs/lineage.ts',
  ],
  'a log line of this process': ['packages/server/src/telemetry/log.ts'],
  'a key that this process has exported': [
    'packages/train/src/secure-aggregation/crypto/curves.ts',
  ],
  'bounded before by `boundJson` or by the same rules, without the tensors of the body': [
    'packages/server/src/gateway/oip/http/json-carve.ts',
    'packages/server/src/gateway/oip/http/json-strings.ts',
  ],
  'base64 of at most a thousand characters, whose JSON the reader parses': [
    'packages/api/src/devices.ts',
    'packages/federation/src/identity/invitation.ts',
  ],
  'answers of the node that the program or page itself addresses, tensors of any size among them': [
    'packages/api/src/client/',
    'packages/console/src/language/',
    'packages/ui/src/follow.ts',
  ],
  'what the user of a command gives it, on its command line or in a file': [
    'packages/cli/src/command-line/option.ts',
    'packages/cli/src/commands/federation/federate.ts',
    'packages/cli/src/commands/federation/privacy-recount.ts',
    'packages/cli/src/connection/connection.ts',
    'packages/cli/src/examples/language-example.ts',
    'packages/cli/src/federation/model-audit.ts',
    'packages/cli/src/file.ts',
    'packages/cli/src/jobs/data-set.ts',
  ],
  'JSON with 64-bit integers, of a file that the user names': [
    'packages/onnx/src/tensor/numbers.ts',
  ],
};

const PARSES = /\bJSON\.parse\b|\batob\b/;
const COMMENT = /^\s*(?:\/\/|\/?\*)/;

/** The lines of a source that parse text by themselves, from 1 on. */
export function parsingLines(source: string): number[] {
  return source
    .split('\n')
    .flatMap((line, index) => (PARSES.test(line) && !COMMENT.test(line) ? [index + 1] : []));
}

const isTest = (path: string): boolean => /\.test\.tsx?$|\/testing\//.test(path);

/** @param files sources by their paths. */
export function problemsIn(files: ReadonlyMap<string, string>): string[] {
  const used = new Set<string>();
  const excepted = Object.values(EXCEPTIONS).flat();
  const problems: string[] = [];
  for (const [path, source] of files) {
    const lines = path === READER || isTest(path) ? [] : parsingLines(source);
    if (lines.length === 0) continue;
    const found = excepted.filter((each) =>
      each.endsWith('/') ? path.startsWith(each) : path === each,
    );
    for (const each of found) used.add(each);
    if (found.length > 0) continue;
    problems.push(
      ...lines.map(
        (line) =>
          `${path}:${line}: parses text without the bounded reader. Use readJson of @skein/api/foreign-json, or add the file with a reason to scripts/foreign-json.ts.`,
      ),
    );
  }
  const unused = excepted.filter((each) => !used.has(each));
  return [
    ...problems,
    ...unused.map((each) => `scripts/foreign-json.ts: ${each} parses nothing any more.`),
  ];
}

function sources(): Map<string, string> {
  const root = join(import.meta.dirname, '..');
  const listed = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', 'packages', 'apps'],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    },
  );
  const paths = listed
    .split('\0')
    .filter((path) => /^(?:packages|apps)\/[^/]+\/src\/.*\.tsx?$/.test(path));
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

if (import.meta.main) {
  const problems = problemsIn(sources());
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
