/** Writes problem packages for tests: a valid one, with the changes of the test. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';

export type Files = Readonly<Record<string, string | undefined>>;

/** Echoes its input; the answer is the input. */
export const MINIMAL: Files = {
  'problem.yaml':
    'problem_format_version: 2025-09\nname: Echo\nuuid: echo\nlicense: cc0\nrights_owner: Us\nlimits:\n  time_limit: 1\n  memory: 256\n',
  'statement/problem.en.md': 'Echo.\n',
  'data/sample/1.in': '1\n',
  'data/sample/1.ans': '1\n',
  'data/secret/1.in': '2\n',
  'data/secret/1.ans': '2\n',
  'data/secret/2.in': '3\n',
  'data/secret/2.ans': '3\n',
  'input_validators/any.py': 'import sys\nsys.exit(42)\n',
  'submissions/accepted/echo.py': 'print(input())\n',
};

export const MINIMAL_LEGACY: Files = {
  'problem.yaml': 'name: Echo\nlicense: cc0\nrights_owner: Us\n',
  'problem_statement/problem.tex': '\\problemname{Echo}\n',
  'data/sample/1.in': '1\n',
  'data/sample/1.ans': '1\n',
  'data/secret/1.in': '2\n',
  'data/secret/1.ans': '2\n',
  'input_validators/any.py': 'import sys\nsys.exit(42)\n',
  'submissions/accepted/echo.py': 'print(input())\n',
};

// Not with the test: for concurrent tests the runner cannot determine which one created it.
const made: string[] = [];
afterAll(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** `undefined` leaves a file out. The folder goes when the file's tests are done. */
export function packageFolder(files: Files, base: Files = MINIMAL): string {
  const parent = mkdtempSync(join(tmpdir(), 'skein-package-'));
  made.push(parent);
  const folder = join(parent, 'echo');
  for (const [path, content] of Object.entries({ ...base, ...files })) {
    if (content === undefined) continue;
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    if (content.startsWith('#!')) chmodSync(target, 0o755);
  }
  return folder;
}

/** A new folder in `/usr`, which bubblewrap shows to programs as it is; removed after the test. Needs root. */
export function folderAmongPrograms(): string {
  const folder = mkdtempSync('/usr/share/skein-judge-');
  onTestFinished(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o755);
  return folder;
}
