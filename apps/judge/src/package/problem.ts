/**
 * A problem in the judge's own form, the same for every version of the Kattis/ICPC problem package
 * format. Only metadata and programs are held in memory; test data stay in the package's folder and
 * are named by path. Units: milliseconds and bytes.
 *
 * Follows https://www.kattis.com/problem-package-format/spec/2025-09 and …/spec/legacy.
 */
export type FormatVersion = '2025-09' | 'legacy';

export interface ProblemType {
  readonly scoring: boolean;
  readonly interactive: boolean;
  readonly multiPass: boolean;
  readonly submitAnswer: boolean;
}

export interface ProblemLimits {
  /** Explicit limit of the package; otherwise it follows from the example submissions. */
  readonly timeMs: number | undefined;
  readonly multipliers: TimeMultipliers;
  /** Step of an inferred time limit. */
  readonly timeResolutionMs: number;
  readonly memoryBytes: number;
  readonly outputBytes: number;
  readonly codeBytes: number;
  readonly compilationMs: number;
  readonly compilationMemoryBytes: number;
  readonly validationMs: number;
  readonly validationMemoryBytes: number;
  readonly validationOutputBytes: number;
  /** Passes of a multi-pass problem, at most. */
  readonly validationPasses: number;
}

export interface TimeMultipliers {
  /** The time limit is at least the slowest accepted submission times this. */
  readonly acToTimeLimit: number;
  /** The fastest too slow submission takes at least the time limit times this. */
  readonly timeLimitToTle: number;
}

export interface ProgramFile {
  /** Relative to the program's folder. */
  readonly path: string;
  readonly content: Uint8Array;
  readonly executable: boolean;
  /** From the package's `include/`, not from the author of the submission. */
  readonly included?: true;
}

/** A validator, grader or submission of a package: a file, or a folder of files. */
export interface Program {
  /** Path in the package, e.g. `output_validator/validate.py`. */
  readonly name: string;
  readonly files: readonly ProgramFile[];
}

/**
 * Characters of a Markdown statement with its constants, and its bytes: some Markdown takes a time that
 * grows with the square of its length.
 */
export const MAX_MARKDOWN = 64 * 2 ** 10;

export interface Statement {
  /** Language code, e.g. `en` or `pt-BR`. */
  readonly language: string;
  readonly format: 'md' | 'tex' | 'pdf';
  /** Path in the package. */
  readonly path: string;
}

export interface TestCase {
  readonly kind: 'test';
  /** e.g. `secret/group1/03`. */
  readonly name: string;
  /** Path of the input file in the package. */
  readonly input: string;
  readonly answer: string;
  /** Texts that its author shows in their place (`.in.statement`, `.ans.statement`, `.out`), by their paths. */
  readonly shown: { readonly input: string; readonly answer: string };
  /** Files in the submission's working folder: name there → path in the package. */
  readonly files: ReadonlyMap<string, string>;
  /** Arguments of the submission. */
  readonly args: readonly string[];
  readonly outputValidatorArgs: readonly string[];
  /** For every input validator, or by its name. */
  readonly inputValidatorArgs: readonly string[] | Readonly<Record<string, readonly string[]>>;
  readonly fullFeedback: boolean;
  readonly hint: string | undefined;
  readonly description: string | undefined;
}

/** A judgement over the submission's sources, by the static validator (2025-09). */
export interface StaticCase {
  readonly kind: 'static';
  /** e.g. `secret/group1/static`. */
  readonly name: string;
  readonly maxScore: number | 'pass-fail';
  readonly args: readonly string[];
}

/** How the result of a group is computed from its children. */
export type GroupRules =
  | {
      readonly version: '2025-09';
      /** `Infinity` when unbounded. */
      readonly maxScore: number;
      readonly aggregation: 'pass-fail' | 'sum' | 'min';
      /** Groups whose tests must all pass before this one is run. */
      readonly requirePass: readonly string[];
    }
  | {
      readonly version: 'legacy';
      readonly onReject: 'break' | 'continue';
      readonly grading: 'default' | 'custom';
      readonly graderFlags: readonly string[];
      readonly acceptScore: number;
      readonly rejectScore: number;
      readonly range: readonly [number, number];
    };

export interface TestGroup {
  readonly kind: 'group';
  /** Path under `data/`, e.g. `secret/group1`; the root is ``. */
  readonly name: string;
  readonly rules: GroupRules;
  /** In the order in which they are judged. */
  readonly children: readonly (TestCase | StaticCase | TestGroup)[];
}

/** A pair of files that tests the validators themselves (`invalid_input`, `valid_output`, …). */
export interface ValidatorCase {
  readonly name: string;
  readonly expects: 'invalid input' | 'invalid output' | 'valid output';
  readonly input: string;
  readonly answer: string | undefined;
  readonly output: string | undefined;
  readonly outputValidatorArgs: readonly string[];
  readonly inputValidatorArgs: TestCase['inputValidatorArgs'];
}

/** The expected result of an example submission; each requirement is checked separately. */
export interface Requirement {
  /** Origin, for the report: `accepted`, or a pattern of submissions.yaml. */
  readonly source: string;
  /** Pattern of the test cases and groups that it applies to; undefined: all. */
  readonly tests: string | undefined;
  readonly permitted: ReadonlySet<ExpectedVerdict> | undefined;
  readonly required: ReadonlySet<ExpectedVerdict> | undefined;
  /** Inclusive range. */
  readonly score: readonly [number, number] | undefined;
  readonly message: string | undefined;
  readonly useForTimeLimit: boolean | 'lower' | 'upper' | undefined;
}

export type ExpectedVerdict = 'AC' | 'WA' | 'TLE' | 'RTE';

export interface ExampleSubmission {
  /** Relative to `submissions/`, e.g. `accepted/fast.cpp`. */
  readonly name: string;
  readonly program: Program;
  readonly language: string | undefined;
  readonly entryPoint: string | undefined;
  readonly requirements: readonly Requirement[];
  /** Legacy packages require a verdict of the whole submission: the directory's name. */
  readonly legacyDirectory: string | undefined;
}

export interface Problem {
  /** Absolute path of the package's folder. */
  readonly folder: string;
  /** The folder's name. */
  readonly shortName: string;
  readonly version: FormatVersion;
  readonly names: Readonly<Record<string, string>>;
  readonly uuid: string | undefined;
  readonly license: string;
  readonly keywords: readonly string[];
  /** Day, or instant, before which the problem is hidden. */
  readonly embargoUntil: string | undefined;
  readonly type: ProblemType;
  readonly limits: ProblemLimits;
  /** Codes of the languages that it may be solved in. */
  readonly languages: 'all' | readonly string[];
  readonly allowFileWriting: boolean;
  readonly constants: ReadonlyMap<string, string>;
  /** Legacy scoring problems may prefer the smallest score. */
  readonly objective: 'max' | 'min';
  readonly statements: readonly Statement[];
  readonly attachments: readonly string[];
  /** Language code, or `default` → files that join every submission. */
  readonly includes: ReadonlyMap<string, readonly ProgramFile[]>;
  readonly tests: TestGroup;
  readonly validatorCases: readonly ValidatorCase[];
  readonly inputValidators: readonly Program[];
  /** undefined: the default validator. */
  readonly outputValidator: Program | undefined;
  readonly staticValidator: Program | undefined;
  readonly grader: Program | undefined;
  readonly examples: readonly ExampleSubmission[];
  /** Deviations that the format tolerates and the author should know. */
  readonly warnings: readonly string[];
}

/** Every test case and static case below a group, in judging order. */
export function* casesOf(group: TestGroup): Generator<TestCase | StaticCase> {
  for (const child of group.children) {
    if (child.kind === 'group') yield* casesOf(child);
    else yield child;
  }
}

export function testsOf(group: TestGroup): TestCase[] {
  return [...casesOf(group)].filter((item) => item.kind === 'test');
}
