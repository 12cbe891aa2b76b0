/**
 * Example submissions and their expected results: the default directories of the format, the
 * additions and replacements of `submissions.yaml`, and the verdict of a legacy directory.
 */
import { z } from 'zod';
import { boundComparisons, globMatches, globOf } from './format/glob.ts';
import { invalid } from './invalid.ts';
import type { Metadata } from './format/metadata.ts';
import type { PackageFolder } from './archive/package-folder.ts';
import type { ExampleSubmission, ExpectedVerdict, Requirement } from './problem.ts';
import { readPrograms } from './programs.ts';
import { parseYaml } from './format/yaml.ts';

const Verdicts = z.array(z.enum(['AC', 'WA', 'TLE', 'RTE'])).nonempty();

const requirementKeys = {
  permitted: Verdicts.optional(),
  required: Verdicts.optional(),
  score: z
    .union([
      z.number().transform((one): [number, number] => [one, one]),
      z.tuple([z.number(), z.number()]),
    ])
    .optional(),
  message: z.string().optional(),
  use_for_time_limit: z.union([z.boolean(), z.enum(['lower', 'upper'])]).optional(),
};
const TestRequirement = z.strictObject(requirementKeys);
type TestRequirement = z.infer<typeof TestRequirement>;

const submissionKeys = {
  ...requirementKeys,
  language: z.string().optional(),
  entrypoint: z.string().optional(),
  authors: z.unknown().optional(),
  model_solution: z.boolean().optional(),
};
/** Every key except the submission's own is a pattern of tests. */
const SubmissionConfig = z.object(submissionKeys).catchall(TestRequirement);
type SubmissionConfig = z.infer<typeof SubmissionConfig>;

const SubmissionsYaml = z.record(z.string(), SubmissionConfig);

type Defaults = Readonly<
  Record<string, { permitted?: readonly ExpectedVerdict[]; required?: readonly ExpectedVerdict[] }>
>;

const DEFAULTS: Defaults = {
  accepted: { permitted: ['AC'] },
  rejected: { required: ['RTE', 'TLE', 'WA'] },
  wrong_answer: { permitted: ['AC', 'WA'], required: ['WA'] },
  time_limit_exceeded: { permitted: ['AC', 'TLE'], required: ['TLE'] },
  run_time_error: { permitted: ['AC', 'RTE'], required: ['RTE'] },
  brute_force: { permitted: ['AC', 'RTE', 'TLE'], required: ['RTE', 'TLE'] },
};

const LEGACY_DIRECTORIES = new Set([
  'accepted',
  'partially_accepted',
  'wrong_answer',
  'time_limit_exceeded',
  'run_time_error',
]);

const FILE = 'submissions/submissions.yaml';

export async function readExamples(
  folder: PackageFolder,
  metadata: Metadata,
): Promise<{ examples: ExampleSubmission[]; warnings: string[] }> {
  const directories = new Set(
    folder
      .under('submissions')
      .map((entry) => entry.path.split('/'))
      .filter((parts) => parts.length > 2)
      .map((parts) => parts[1] ?? ''),
  );
  const legacy = metadata.version === 'legacy';
  const configs = (await readConfigs(folder, legacy)).map(([pattern, config]) => ({
    pattern,
    config,
    glob: globOf(pattern),
  }));
  const examples: ExampleSubmission[] = [];
  const warnings: string[] = [];
  for (const directory of [...directories].sort()) {
    if (legacy && !LEGACY_DIRECTORIES.has(directory)) {
      warnings.push(`submissions/${directory}: not a directory of the format; it is ignored.`);
      continue;
    }
    const programs = await readPrograms(folder, `submissions/${directory}`, metadata.constants);
    const globs = configs.map(({ glob }) => glob);
    boundComparisons(FILE, globs, examples.length + programs.length);
    for (const program of programs) {
      const name = program.name.slice('submissions/'.length);
      const matching = configs.filter(({ glob }) => globMatches(glob, name));
      examples.push({
        name,
        program,
        language: matching.findLast(({ config }) => config.language !== undefined)?.config.language,
        entryPoint: matching.findLast(({ config }) => config.entrypoint !== undefined)?.config
          .entrypoint,
        requirements: matching.flatMap(({ pattern, config }) => requirementsOf(pattern, config)),
        legacyDirectory: legacy ? directory : undefined,
      });
    }
  }
  for (const { pattern, glob } of configs) {
    const used = examples.some((example) => globMatches(glob, example.name));
    if (!used && !(pattern in DEFAULTS))
      warnings.push(`${FILE}: ${pattern} matches no submission.`);
  }
  if (!examples.some((example) => example.name.startsWith('accepted/'))) {
    throw invalid('submissions/accepted', 'at least one accepted submission is required');
  }
  return { examples, warnings };
}

async function readConfigs(
  folder: PackageFolder,
  legacy: boolean,
): Promise<[string, SubmissionConfig][]> {
  if (legacy) return [];
  const given = folder.has(FILE)
    ? parseYaml(FILE, await folder.readText(FILE), SubmissionsYaml)
    : {};
  const defaults = Object.entries(DEFAULTS).map(([directory, keys]): [string, SubmissionConfig] => [
    directory,
    { ...(keys as SubmissionConfig), ...given[directory] },
  ]);
  return [...defaults, ...Object.entries(given).filter(([pattern]) => !(pattern in DEFAULTS))];
}

function requirementsOf(pattern: string, config: SubmissionConfig): Requirement[] {
  const tests = Object.entries(config).filter(([key]) => !(key in submissionKeys)) as [
    string,
    TestRequirement,
  ][];
  return [
    requirement(pattern, undefined, config),
    ...tests.map(([test, keys]) => requirement(pattern, test, keys)),
  ];
}

function requirement(
  source: string,
  tests: string | undefined,
  keys: TestRequirement,
): Requirement {
  return {
    source,
    tests,
    permitted: keys.permitted === undefined ? undefined : new Set(keys.permitted),
    required: keys.required === undefined ? undefined : new Set(keys.required),
    score: keys.score,
    message: keys.message,
    useForTimeLimit: keys.use_for_time_limit,
  };
}
