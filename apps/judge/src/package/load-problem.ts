/** Reads a problem package from its folder: the one way from files to a `Problem`. */
import { SkeinError } from '@skein/api';
import { z } from 'zod';
import { readDomjudgeSettings, withDomjudgeSettings } from './domjudge.ts';
import { readExamples } from './examples.ts';
import { invalid } from './invalid.ts';
import { type Layout, layoutOf, VERSIONS } from './layout.ts';
import type { Metadata } from './format/metadata.ts';
import { readMetadata2025 } from './format/metadata-2025.ts';
import { readMetadataLegacy } from './format/metadata-legacy.ts';
import { openPackageFolder, type PackageFolder } from './archive/package-folder.ts';
import {
  casesOf,
  MAX_MARKDOWN,
  type Problem,
  type Program,
  type Statement,
  testsOf,
} from './problem.ts';
import { readIncludes, readPrograms, readSingleProgram } from './programs.ts';
import { readTestData2025, readValidatorCases } from './format/test-data-2025.ts';
import { readTestDataLegacy } from './format/test-data-legacy.ts';
import { parseYaml } from './format/yaml.ts';
import { parseFlags } from '../validation/default-validator.ts';

/**
 * @param path folder of the package.
 * @throws SkeinError PROBLEM_INVALID with the file and the field, PROBLEM_UNSUPPORTED.
 */
export async function loadProblem(path: string): Promise<Problem> {
  return readProblem(await openPackageFolder(path));
}

/** @throws SkeinError as `loadProblem`. */
export async function readProblem(folder: PackageFolder): Promise<Problem> {
  const settings = await readDomjudgeSettings(folder);
  const { metadata: own, layout } = await readMetadata(folder, settings.get('name'));
  const { constants } = own;
  const outputValidator = await readSingleProgram(folder, layout.outputValidator, constants);
  const hasValidator = outputValidator !== undefined;
  const metadata = await withDomjudgeSettings(own, settings, folder, hasValidator);
  const parts = { folder, metadata, layout };
  const statements = await readStatements(folder, metadata, layout);
  const current = metadata.version === '2025-09';

  const inputValidators = await Promise.all(
    layout.inputValidators.map((at) => readPrograms(folder, at, constants)),
  );
  const staticValidator = current
    ? await readSingleProgram(folder, 'static_validator', constants)
    : undefined;
  const data = current
    ? await readTestData2025(parts, staticValidator !== undefined)
    : { tests: await readTestDataLegacy(folder, metadata), warnings: [] };
  const { examples, warnings } = await readExamples(folder, metadata);

  const problem: Problem = {
    ...metadata,
    folder: folder.root,
    shortName: folder.shortName,
    statements,
    attachments: folder.under('attachments').map((entry) => entry.path),
    includes: await readIncludes(folder, constants),
    tests: data.tests,
    validatorCases: current ? await readValidatorCases(parts) : [],
    inputValidators: inputValidators.flat(),
    outputValidator: metadata.customValidation === false ? undefined : outputValidator,
    staticValidator,
    grader: current ? undefined : await readSingleProgram(folder, 'graders', constants),
    examples,
    warnings: [
      ...metadata.warnings,
      ...data.warnings,
      ...warnings,
      ...strayFiles(folder, layout),
      ...ignoredFiles(folder),
    ],
  };
  checkTogether(problem, metadata.customValidation === true);
  return problem;
}

/** @param name of the problem in the settings of DOMjudge. */
async function readMetadata(
  folder: PackageFolder,
  name: string | undefined,
): Promise<{ readonly metadata: Metadata; readonly layout: Layout }> {
  const text = await folder.readText('problem.yaml');
  const { problem_format_version: given } = parseYaml(
    'problem.yaml',
    text,
    z.looseObject({ problem_format_version: z.string().optional() }),
  );
  if (given === undefined && !hasStatement(folder, 'legacy') && hasStatement(folder, '2025-09')) {
    throw invalid(
      'problem.yaml',
      'problem_format_version: without it the package is legacy, but its statement is where 2025-09 has it',
    );
  }
  const version = given ?? 'legacy';
  if (!VERSIONS.includes(version)) {
    throw new SkeinError(
      'PROBLEM_UNSUPPORTED',
      `problem.yaml: problem_format_version: ${version} is none of ${VERSIONS.join(', ')}.`,
    );
  }
  const metadata = version.startsWith('legacy')
    ? readMetadataLegacy(text, name || folder.shortName)
    : readMetadata2025(text);
  return { metadata, layout: layoutOf(version, folder) };
}

const hasStatement = (folder: PackageFolder, version: string): boolean =>
  folder.under(layoutOf(version, folder).statement).length > 0;

async function readStatements(
  folder: PackageFolder,
  metadata: Metadata,
  { statement: at }: Layout,
): Promise<Statement[]> {
  const current = metadata.version === '2025-09';
  const statements = withPdfOfRoot(
    folder.under(at).flatMap(({ path }) => statementAt(path, path.slice(at.length + 1), 'en')),
    folder,
    metadata,
  );
  if (statements.length === 0) {
    throw invalid(at, 'there is no problem.<language>.(md|tex|pdf), and no problem.pdf next to it');
  }
  if (current) {
    const named = Object.keys(metadata.names);
    const missing = statements.find((statement) => !named.includes(statement.language));
    if (missing !== undefined) {
      throw invalid('problem.yaml', `name: none for the language of ${missing.path}`);
    }
    const extra = named.find((language) => !statements.some((one) => one.language === language));
    if (extra !== undefined) {
      throw invalid('problem.yaml', `name.${extra}: there is no statement in this language`);
    }
  }
  // Read here already: one that cannot be shown is found with the other faults of the package.
  const texts = statements.filter(({ format }) => format !== 'pdf');
  const most = { md: MAX_MARKDOWN, tex: undefined, pdf: undefined };
  await Promise.all(texts.map(({ path, format }) => folder.readText(path, most[format])));
  return statements;
}

/** @param language of a statement whose name has none. */
function statementAt(path: string, name: string, language: string): Statement[] {
  const [all, given, format] =
    /^problem(?:\.([a-z]{2,3}(?:-[A-Z]{2})?))?\.(md|tex|pdf)$/.exec(name) ?? [];
  if (all === undefined) return [];
  return [{ language: given ?? language, format: format as Statement['format'], path }];
}

/**
 * Tools for DOMjudge put the statement at the root of the package, as PDF. It stands for LaTeX, which
 * is only shown as text, and for what is missing.
 */
function withPdfOfRoot(
  found: readonly Statement[],
  folder: PackageFolder,
  { names }: Metadata,
): Statement[] {
  const main = 'en' in names ? 'en' : (Object.keys(names)[0] ?? 'en');
  const shown = found.filter(({ format }) => format !== 'tex');
  const root = folder.entries
    .filter(({ path }) => /^problem\b.*\.pdf$/.test(path))
    .flatMap(({ path }) => statementAt(path, path, main))
    .filter(({ language }) => !shown.some((one) => one.language === language));
  return [
    ...found.filter(({ language }) => !root.some((one) => one.language === language)),
    ...root,
  ];
}

/** Files of `data/` that nothing reads: under a mistyped name a test, or the rules of a group, would be missing. */
function strayFiles(folder: PackageFolder, { groupFile }: Layout): string[] {
  const paths = ['data/sample', 'data/secret'].flatMap((at) =>
    folder.under(at).map((entry) => entry.path),
  );
  return paths.flatMap((path) => {
    const [, base, extension] = /^(.+)\.(ans|yaml)$/.exec(path) ?? [];
    const isRead = base === undefined || path.endsWith(`/${groupFile}`) || folder.has(`${base}.in`);
    if (isRead || /\.files\//.test(path)) return [];
    const hint = extension === 'yaml' ? `; the rules of a group are in ${groupFile}` : '';
    return [`${path} is ignored: there is no test ${base}.in${hint}.`];
  });
}

function ignoredFiles(folder: PackageFolder): string[] {
  return folder.ignored.map((path) => `${path}: the format ignores files of this name.`);
}

/** Checks that need several files. */
function checkTogether(problem: Problem, custom: boolean): void {
  const { type } = problem;
  const needs = (what: string, program: Program | undefined): void => {
    if (program === undefined) {
      const at = problem.version === 'legacy' ? 'output_validators' : 'output_validator';
      throw invalid(at, `${what} needs an output validator of its own`);
    }
  };
  if (type.interactive) needs('an interactive problem', problem.outputValidator);
  if (custom) needs('validation: custom', problem.outputValidator);
  if (type.multiPass) needs('a multi-pass problem', problem.outputValidator);
  if (type.submitAnswer && problem.staticValidator !== undefined) {
    throw invalid('static_validator', 'submit-answer problems have no static validator');
  }
  if (problem.outputValidator === undefined) {
    const key = problem.version === 'legacy' ? 'output_validator_flags' : 'output_validator_args';
    // Tests of a group share their arguments.
    const checked = new Set<readonly string[]>();
    for (const { name, outputValidatorArgs } of [
      ...testsOf(problem.tests),
      ...problem.validatorCases,
    ]) {
      if (checked.has(outputValidatorArgs)) continue;
      checked.add(outputValidatorArgs);
      parseFlags(outputValidatorArgs, `data/${name}: ${key}`);
    }
  }
  if (problem.version === 'legacy') return checkLegacy(problem);
  const names = new Map<string, 'pass-fail' | 'other'>();
  const groups = [problem.tests, ...problem.tests.children.filter((one) => one.kind === 'group')];
  for (const group of groups.flatMap((one) => [one, ...one.children])) {
    if (group.kind !== 'group' || group.rules.version !== '2025-09') continue;
    names.set(group.name, group.rules.aggregation === 'pass-fail' ? 'pass-fail' : 'other');
    for (const required of group.rules.requirePass) {
      const aggregation = names.get(required);
      const file = `data/${group.name}/test_group.yaml`;
      if (aggregation === undefined) throw invalid(file, `require_pass: no group ${required}`);
      if (aggregation !== 'pass-fail') {
        throw invalid(file, `require_pass: ${required} has no pass-fail aggregation`);
      }
    }
  }
  const seen = new Set<string>();
  for (const { name } of casesOf(problem.tests)) {
    if (seen.has(name)) throw invalid(`data/${name}`, 'two tests have this name');
    seen.add(name);
  }
}

function checkLegacy(problem: Problem): void {
  const custom = (group: Problem['tests']): boolean =>
    (group.rules.version === 'legacy' && group.rules.grading === 'custom') ||
    group.children.some((child) => child.kind === 'group' && custom(child));
  if (custom(problem.tests) && problem.grader === undefined) {
    throw invalid('graders', 'a group has grading: custom, but there is no grader');
  }
  if (testsOf(problem.tests).length === 0) throw invalid('data/secret', 'it holds no test case');
}
