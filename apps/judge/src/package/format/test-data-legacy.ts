/**
 * `data/` of the legacy format: a tree of groups of any depth, each with its own `testdata.yaml` or
 * its nearest ancestor's, graded from the leaves up.
 */
import { z } from 'zod';
import { stem } from './case-config.ts';
import { invalid } from '../invalid.ts';
import { type Metadata, splitFlags } from './metadata.ts';
import type { PackageFolder } from '../archive/package-folder.ts';
import type { TestCase, TestGroup } from '../problem.ts';
import { parseYaml } from './yaml.ts';

/** Split once for a group: its tests, and groups below without rules of their own, share the words. */
const Words = z.string().transform(splitFlags);
const Flags = z.union([
  Words,
  z.number().transform((one) => [String(one)]),
  z.strictObject({ name: z.string(), flags: Words.prefault('') }),
]);

const TestdataYaml = z.looseObject({
  on_reject: z
    .enum(['break', 'continue', 'first_error', 'grade', 'worst_error'])
    // problemtools accepted these before the format defined two words.
    .transform((value) => (value === 'break' || value === 'first_error' ? 'break' : 'continue'))
    .default('break'),
  grading: z.enum(['default', 'custom']).default('default'),
  grader_flags: Words.prefault(''),
  input_validator_flags: Flags.prefault(''),
  output_validator_flags: Flags.prefault(''),
  accept_score: z.coerce.number().default(1),
  reject_score: z.coerce.number().default(0),
  range: z.string().default('-inf +inf'),
});
type Testdata = ReturnType<typeof rulesOf>;

function rulesOf(yaml: z.infer<typeof TestdataYaml>, { validatorFlags }: Metadata) {
  const { input_validator_flags: input, output_validator_flags: output } = yaml;
  return {
    ...yaml,
    inputArgs: Array.isArray(input) ? input : { [input.name]: input.flags },
    outputArgs: [...validatorFlags, ...(Array.isArray(output) ? output : output.flags)],
  };
}

export async function readTestDataLegacy(
  folder: PackageFolder,
  metadata: Metadata,
): Promise<TestGroup> {
  const root = await readGroup(folder, metadata, 'data', rulesOf(TestdataYaml.parse({}), metadata));
  const children = root.children.filter(
    (child) => child.kind === 'group' && (child.name === 'sample' || child.name === 'secret'),
  );
  if (!children.some((child) => child.name === 'secret')) {
    throw invalid('data/secret', 'it holds no test case');
  }
  return { ...root, name: '', children };
}

async function readGroup(
  folder: PackageFolder,
  metadata: Metadata,
  at: string,
  inherited: Testdata,
): Promise<TestGroup> {
  const file = `${at}/testdata.yaml`;
  const yaml = folder.has(file)
    ? rulesOf(parseYaml(file, await folder.readText(file), TestdataYaml), metadata)
    : inherited;
  const names = new Map<string, 'test' | 'group'>();
  for (const entry of folder.under(at)) {
    const [name = '', ...rest] = entry.path.slice(at.length + 1).split('/');
    if (rest.length > 0) names.set(name, 'group');
    else if (name.endsWith('.in')) names.set(stem(name), 'test');
  }
  const children: TestGroup['children'][number][] = [];
  for (const [name, kind] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const path = `${at}/${name}`;
    if (kind === 'test') children.push(await readTest(folder, path, yaml));
    else {
      const group = await readGroup(folder, metadata, path, yaml);
      if (group.children.length > 0) children.push(group);
    }
  }
  return {
    kind: 'group',
    name: at.slice('data/'.length),
    rules: {
      version: 'legacy',
      onReject: yaml.on_reject,
      grading: yaml.grading,
      graderFlags: yaml.grader_flags,
      acceptScore: yaml.accept_score,
      rejectScore: yaml.reject_score,
      range: parseRange(file, yaml.range),
    },
    children,
  };
}

async function readTest(folder: PackageFolder, base: string, yaml: Testdata): Promise<TestCase> {
  const answer = `${base}.ans`;
  if (!folder.has(answer)) throw invalid(answer, 'the answer file of the test is missing');
  const note = async (extension: string): Promise<string | undefined> =>
    folder.has(`${base}${extension}`) ? folder.readText(`${base}${extension}`) : undefined;
  return {
    kind: 'test',
    name: base.slice('data/'.length),
    input: `${base}.in`,
    answer,
    shown: { input: `${base}.in`, answer },
    files: new Map(),
    args: [],
    outputValidatorArgs: yaml.outputArgs,
    inputValidatorArgs: yaml.inputArgs,
    fullFeedback: base.startsWith('data/sample/'),
    hint: await note('.hint'),
    description: await note('.desc'),
  };
}

function parseRange(file: string, range: string): [number, number] {
  const bounds = range.trim().split(/\s+/).map(parseBound);
  const [low, high] = bounds;
  if (bounds.length !== 2 || low === undefined || high === undefined || !(low <= high)) {
    throw invalid(file, `range: "${range}" is not two numbers in order`);
  }
  return [low, high];
}

function parseBound(word: string): number {
  const infinite = /^([+-]?)inf$/.exec(word);
  if (infinite === null) return Number(word);
  return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
