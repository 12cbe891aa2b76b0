/** A contestant's submission, and the checks before anything is built. */
import { SkeinError } from '@skein/api';
import { FILE_NAME } from '../package/archive/package-folder.ts';
import type { Problem, ProgramFile, TestCase } from '../package/problem.ts';

/** A program, or, for submit-answer problems, answer files named after their tests. */
export interface Submission {
  readonly files: readonly ProgramFile[];
  /** Code of the language; default: by the files' extensions. */
  readonly language?: string | undefined;
  readonly entryPoint?: string | undefined;
}

const MAX_FILES = 128;

/** @throws SkeinError SUBMISSION_INVALID that names the file or the limit. */
export function checkSubmission(submission: Submission, problem: Problem): void {
  const refuse = (what: string): SkeinError => new SkeinError('SUBMISSION_INVALID', what);
  const { files } = submission;
  if (files.length === 0) throw refuse('The submission holds no file.');
  if (files.length > MAX_FILES) {
    throw refuse(`The submission holds ${files.length} files; ${MAX_FILES} is the most.`);
  }
  const bytes = files.reduce((sum, file) => sum + file.content.byteLength, 0);
  const { codeBytes, outputBytes } = problem.limits;
  const most = problem.type.submitAnswer ? outputBytes : codeBytes;
  if (bytes > most) {
    throw refuse(`The submission has ${bytes} bytes; ${problem.shortName} takes ${most}.`);
  }
  const seen = new Set<string>();
  for (const { path } of files) {
    if (!path.split('/').every((part) => FILE_NAME.test(part)) || path.split('/').length > 8) {
      throw refuse(
        `The file name "${path.slice(0, 100)}" is not made of letters, digits, ".", "-", "+" and "_".`,
      );
    }
    if (seen.has(path)) throw refuse(`The file "${path}" comes twice.`);
    seen.add(path);
  }
  const both = files.flatMap(({ path }) => foldersOf(path)).find((folder) => seen.has(folder));
  if (both !== undefined) throw refuse(`"${both}" is both a file and a folder.`);
}

/** `a/b/c` → `a`, `a/b`. */
function foldersOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** @throws SkeinError SUBMISSION_INVALID. */
export function checkLanguage(language: string, problem: Problem): void {
  if (problem.languages === 'all' || problem.languages.includes(language)) return;
  throw new SkeinError(
    'SUBMISSION_INVALID',
    `${problem.shortName} takes ${problem.languages.join(', ')}, not ${language}.`,
  );
}

/**
 * The answer to a test: `secret/group1/03.out` (or `.ans`), with or without its leading folders as
 * long as one test alone can be meant.
 */
export function answerTo(
  test: TestCase,
  tests: readonly TestCase[],
  files: readonly ProgramFile[],
): Uint8Array | undefined {
  for (let name = test.name; ; name = name.slice(name.indexOf('/') + 1)) {
    if (meantBy(name, tests).length > 1) return undefined;
    const file = files.find(({ path }) => path === `${name}.out` || path === `${name}.ans`);
    if (file !== undefined) return file.content;
    if (!name.includes('/')) return undefined;
  }
}

/**
 * The name under which a file is handed in as an answer: the longest end of its path that means a
 * test, such as `secret/group1/03.out` of `/home/alice/secret/group1/03.out`; else its base name.
 */
export function answerNamed(path: string, tests: readonly TestCase[]): string {
  let name = path;
  while (name.includes('/') && meantBy(name.replace(/\.(out|ans)$/, ''), tests).length === 0) {
    name = name.slice(name.indexOf('/') + 1);
  }
  return name;
}

function meantBy(name: string, tests: readonly TestCase[]): readonly TestCase[] {
  return tests.filter((test) => test.name === name || test.name.endsWith(`/${name}`));
}

/** A name that means the answer to this test alone: without `sample/` or `secret/` where that suffices. */
export function answerFileOf({ name }: TestCase, tests: readonly TestCase[]): string {
  const short = name.slice(name.indexOf('/') + 1);
  return `${meantBy(short, tests).length === 1 ? short : name}.out`;
}

/** The files that the problem adds for the language; they win over the submission's own. */
export function withIncludes(
  files: readonly ProgramFile[],
  language: string,
  problem: Problem,
): readonly ProgramFile[] {
  const included = problem.includes.get(language) ?? problem.includes.get('default') ?? [];
  const names = new Set(included.map((file) => file.path));
  const folders = new Set(included.flatMap((file) => foldersOf(file.path)));
  const isTaken = ({ path }: ProgramFile): boolean =>
    folders.has(path) || [path, ...foldersOf(path)].some((one) => names.has(one));
  return [
    ...files.filter((file) => !isTaken(file)),
    ...included.map((file) => ({ ...file, included: true as const })),
  ];
}
