/**
 * Languages that only input validators are written in. Their interpreters are in no Debian release, so
 * they are run where an operator has put them into the sandbox, and reported as missing elsewhere.
 */
import { hasExtension } from '../languages/language.ts';
import type { Program } from '../package/problem.ts';

export interface InputChecker {
  readonly name: string;
  readonly extension: string;
  /** The command that must be in the sandbox. */
  readonly tool: string;
  /** Exits with 42 for a valid input on stdin. @param tool absolute path of the command. */
  argv(tool: string, script: string): readonly string[];
}

/** Checktestdata accepts with 0 and rejects with 1, where a validator accepts with 42. */
const AS_VALIDATOR = '"$0" "$1"; case $? in 0) exit 42;; 1) exit 43;; *) exit 1;; esac';

export const INPUT_CHECKERS: readonly InputChecker[] = [
  {
    name: 'Checktestdata',
    extension: '.ctd',
    tool: 'checktestdata',
    argv: (tool, script) => ['sh', '-c', AS_VALIDATOR, tool, script],
  },
  {
    name: 'VIVA',
    extension: '.viva',
    tool: 'viva',
    argv: (tool, script) => [tool, script],
  },
];

/** The checker that a program is written for, and its script; undefined: another language. */
export function inputChecker({
  files,
}: Program): { readonly checker: InputChecker; readonly script: string } | undefined {
  for (const checker of INPUT_CHECKERS) {
    const scripts = files.filter(({ path }) => hasExtension(path, [checker.extension]));
    const [script] = scripts;
    if (script !== undefined && scripts.length === 1) return { checker, script: script.path };
  }
  return undefined;
}
