/**
 * `data/` of format version 2025-09: samples, then secret tests or groups of them, each judged by
 * the rules of its `test_group.yaml`.
 *
 * A group without arguments inherits those in `data/secret/test_group.yaml`: the format does not
 * define it, but setters' tools do so.
 */
import { stem, TestCaseYaml, TestGroupYaml, type TestGroupConfig } from './case-config.ts';
import { substitute } from './constants.ts';
import { readDraftGroup, sharedScore } from '../draft-group.ts';
import { invalid } from '../invalid.ts';
import type { Layout } from '../layout.ts';
import type { Metadata } from './metadata.ts';
import type { PackageEntry, PackageFolder } from '../archive/package-folder.ts';
import type { StaticCase, TestCase, TestGroup, ValidatorCase } from '../problem.ts';
import { parseYaml } from './yaml.ts';

type Rules = Extract<TestGroup['rules'], { version: '2025-09' }>;

interface PackageParts {
  readonly folder: PackageFolder;
  readonly metadata: Metadata;
  readonly layout: Layout;
}

export async function readTestData2025(
  parts: PackageParts,
  hasStaticValidator: boolean,
): Promise<{ readonly tests: TestGroup; readonly warnings: readonly string[] }> {
  const reader = new TestDataReader(parts, hasStaticValidator);
  const children = [await reader.sample(), await reader.secret()].filter(
    (group) => group.children.length > 0,
  );
  const tests: TestGroup = { kind: 'group', name: '', rules: PASS_FAIL, children };
  return { tests, warnings: reader.warnings };
}

const PASS_FAIL: Rules = {
  version: '2025-09',
  maxScore: Number.POSITIVE_INFINITY,
  aggregation: 'pass-fail',
  requirePass: [],
};

class TestDataReader {
  readonly warnings: string[] = [];
  readonly #parts: PackageParts;
  readonly #hasStaticValidator: boolean;

  constructor(parts: PackageParts, hasStaticValidator: boolean) {
    this.#parts = parts;
    this.#hasStaticValidator = hasStaticValidator;
  }

  async sample(): Promise<TestGroup> {
    const config = await this.#config('data/sample');
    const file = `data/sample/${this.#parts.layout.groupFile}`;
    for (const key of ['max_score', 'score_aggregation', 'require_pass'] as const) {
      if (config[key] !== undefined) throw invalid(file, `${key}: not permitted for samples`);
    }
    return {
      kind: 'group',
      name: 'sample',
      rules: PASS_FAIL,
      children: [
        ...this.#staticCase('sample', config, PASS_FAIL),
        ...(await this.#tests('sample', { full_feedback: true, ...config })),
      ],
    };
  }

  async secret(): Promise<TestGroup> {
    const config = await this.#config('data/secret');
    const rules = this.#rules('secret', config, { aggregation: 'sum', maxScore: 100 });
    const entries = this.#parts.folder.under('data/secret');
    const direct = entries.some((entry) => /^data\/secret\/[^/]+\.in$/.test(entry.path));
    const groups = new Set(
      entries.flatMap((entry) => {
        const [, , name, ...rest] = entry.path.split('/');
        return name !== undefined && rest.length > 0 && !name.endsWith('.files') ? [name] : [];
      }),
    );
    if (direct && groups.size > 0) {
      throw invalid('data/secret', 'it holds test cases and groups; it may hold one or the other');
    }
    const children: TestGroup['children'][number][] = this.#staticCase('secret', config, rules);
    if (direct) children.push(...(await this.#tests('secret', config)));
    const names = [...groups].sort().map((name) => `secret/${name}`);
    const own = await Promise.all(names.map((name) => this.#config(`data/${name}`)));
    const maxScore = this.#parts.metadata.draft
      ? sharedScore(rules, own)
      : Number.POSITIVE_INFINITY;
    for (const [index, name] of names.entries()) {
      children.push(await this.#group(name, own[index] ?? {}, config, rules, maxScore));
    }
    if (children.length === 0) throw invalid('data/secret', 'it holds no test case');
    return { kind: 'group', name: 'secret', rules, children };
  }

  /** @param maxScore of a group that names none. */
  async #group(
    name: string,
    own: TestGroupConfig,
    secret: TestGroupConfig,
    above: Rules,
    maxScore: number,
  ): Promise<TestGroup> {
    const file = `data/${name}/${this.#parts.layout.groupFile}`;
    const fallback = { aggregation: 'pass-fail', maxScore } as const;
    const rules = this.#rules(name, own, fallback);
    if (this.#parts.metadata.type.scoring) {
      if (rules.maxScore === Number.POSITIVE_INFINITY) {
        if (above.maxScore !== Number.POSITIVE_INFINITY) {
          throw invalid(file, `max_score: required, because data/secret is bounded`);
        }
        if (rules.aggregation === 'pass-fail') {
          throw invalid(file, 'max_score: a pass-fail group must be bounded');
        }
      }
      if (above.aggregation === 'pass-fail' && rules.aggregation !== 'pass-fail') {
        throw invalid(file, 'score_aggregation: must be pass-fail, as in data/secret');
      }
    }
    const inherited: TestGroupConfig = {
      args: secret.args,
      input_validator_args: secret.input_validator_args,
      output_validator_args: secret.output_validator_args,
      full_feedback: secret.full_feedback,
      ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
    };
    const children = [
      ...this.#staticCase(name, own, rules),
      ...(await this.#tests(name, inherited)),
    ];
    if (children.length === 0) throw invalid(`data/${name}`, 'the group holds no test case');
    return { kind: 'group', name, rules, children };
  }

  #rules(
    name: string,
    config: TestGroupConfig,
    fallback: { aggregation: Rules['aggregation']; maxScore: number },
  ): Rules {
    const file = `data/${name}/${this.#parts.layout.groupFile}`;
    if (!this.#parts.metadata.type.scoring) {
      for (const key of ['max_score', 'score_aggregation', 'require_pass'] as const) {
        if (config[key] !== undefined) throw invalid(file, `${key}: only for scoring problems`);
      }
      return PASS_FAIL;
    }
    const maxScore =
      config.max_score === 'unbounded'
        ? Number.POSITIVE_INFINITY
        : (config.max_score ?? fallback.maxScore);
    const rules: Rules = {
      version: '2025-09',
      maxScore,
      aggregation: config.score_aggregation ?? fallback.aggregation,
      requirePass: config.require_pass ?? [],
    };
    if (name === 'secret' && rules.aggregation === 'pass-fail' && !Number.isFinite(maxScore)) {
      throw invalid(file, 'max_score: pass-fail aggregation needs a bounded score');
    }
    for (const required of rules.requirePass) {
      const allowed = name === 'secret' ? required === 'sample' : required < name;
      if (!allowed) {
        throw invalid(file, `require_pass: ${required} does not come before ${name}`);
      }
    }
    return rules;
  }

  #staticCase(name: string, config: TestGroupConfig, rules: Rules): StaticCase[] {
    const file = `data/${name}/${this.#parts.layout.groupFile}`;
    const score = config.static_validation_score;
    if (score === undefined) {
      if (config.static_validator_args !== undefined) {
        throw invalid(file, 'static_validator_args: given without static_validation_score');
      }
      return [];
    }
    if (!this.#hasStaticValidator) {
      throw invalid(file, 'static_validation_score: the package has no static_validator');
    }
    if (score !== 'pass-fail' && rules.aggregation === 'pass-fail') {
      throw invalid(file, 'static_validation_score: must be pass-fail in a pass-fail group');
    }
    if (score === 'pass-fail' && rules.aggregation !== 'pass-fail') {
      throw invalid(file, 'static_validation_score: pass-fail needs pass-fail aggregation');
    }
    if (score !== 'pass-fail' && score > rules.maxScore) {
      throw invalid(file, `static_validation_score: more than the max_score of ${rules.maxScore}`);
    }
    const args = config.static_validator_args ?? [];
    return [{ kind: 'static', name: `${name}/static`, maxScore: score, args }];
  }

  async #config(at: string): Promise<TestGroupConfig> {
    const { config, unknown } = await groupConfig(this.#parts, at);
    this.warnings.push(...unknown);
    return config;
  }

  async #tests(group: string, config: TestGroupConfig): Promise<TestCase[]> {
    const tests: TestCase[] = [];
    for (const { path } of this.#parts.folder.under(`data/${group}`).filter(isInput)) {
      tests.push(await this.#test(stem(path), config));
    }
    return tests;
  }

  async #test(base: string, config: TestGroupConfig): Promise<TestCase> {
    const answer = `${base}.ans`;
    if (!this.#parts.folder.has(answer))
      throw invalid(answer, 'the answer file of the test is missing');
    if (base.endsWith('/test_group'))
      throw invalid(`${base}.in`, 'test_group cannot be the name of a test');
    const file = `${base}.yaml`;
    const own = this.#parts.folder.has(file)
      ? parseYaml(file, await this.#parts.folder.readText(file), TestCaseYaml)
      : {};
    const folder = `${base}.files`;
    const files = this.#parts.folder.under(folder);
    return {
      kind: 'test',
      name: base.slice('data/'.length),
      input: `${base}.in`,
      answer,
      shown: shownFiles(base, this.#parts.folder),
      files: new Map(files.map((entry) => [entry.path.slice(folder.length + 1), entry.path])),
      args: own.args ?? config.args ?? [],
      outputValidatorArgs: own.output_validator_args ?? config.output_validator_args ?? [],
      inputValidatorArgs: own.input_validator_args ?? config.input_validator_args ?? [],
      fullFeedback: own.full_feedback ?? config.full_feedback ?? false,
      hint: own.hint,
      description: own.description,
    };
  }
}

/** By "Priority of test case files": what is judged is not always what is shown. */
function shownFiles(base: string, folder: PackageFolder): TestCase['shown'] {
  const first = (...paths: string[]): string =>
    paths.find((path) => folder.has(path)) ?? `${base}.ans`;
  return {
    input: first(`${base}.in.statement`, `${base}.in`),
    answer: first(`${base}.ans.statement`, `${base}.out`),
  };
}

/** @returns the rules of a group, and a warning for each key that is ignored. */
async function groupConfig(
  { folder, metadata: { constants, draft }, layout: { groupFile } }: PackageParts,
  at: string,
): Promise<{ readonly config: TestGroupConfig; readonly unknown: readonly string[] }> {
  const file = `${at}/${groupFile}`;
  if (!folder.has(file)) return { config: {}, unknown: [] };
  const text = substitute(await folder.readText(file), constants);
  if (!draft) return { config: parseYaml(file, text, TestGroupYaml), unknown: [] };
  const { config, unknown } = readDraftGroup(file, text);
  const ignored = (key: string): string =>
    `${file}: ${key} is not a key of the draft and is ignored.`;
  return { config, unknown: unknown.map(ignored) };
}

function isInput(entry: PackageEntry): boolean {
  return (
    entry.path.endsWith('.in') && !entry.path.split('/').some((part) => part.endsWith('.files'))
  );
}

/** `data/invalid_input`, `invalid_output` and `valid_output`: tests of the validators themselves. */
export async function readValidatorCases(parts: PackageParts): Promise<ValidatorCase[]> {
  const { folder, metadata } = parts;
  const cases: ValidatorCase[] = [];
  for (const expects of ['invalid input', 'invalid output', 'valid output'] as const) {
    const at = `data/${expects.replace(' ', '_')}`;
    for (const entry of folder.under(at).filter(isInput)) {
      const base = stem(entry.path);
      const parent = base.slice(0, base.lastIndexOf('/'));
      const { config: shared } = await groupConfig(parts, parent);
      const file = `${base}.yaml`;
      const own: TestGroupConfig = folder.has(file)
        ? parseYaml(
            file,
            substitute(await folder.readText(file), metadata.constants),
            TestGroupYaml.extend({ hint: TestCaseYaml.shape.hint }),
          )
        : {};
      const withOutput = expects !== 'invalid input';
      for (const needed of withOutput ? [`${base}.ans`, `${base}.out`] : []) {
        if (!folder.has(needed)) throw invalid(needed, 'the file is missing');
      }
      cases.push({
        name: base.slice('data/'.length),
        expects,
        input: entry.path,
        answer: withOutput ? `${base}.ans` : undefined,
        output: withOutput ? `${base}.out` : undefined,
        outputValidatorArgs: own.output_validator_args ?? shared.output_validator_args ?? [],
        inputValidatorArgs: own.input_validator_args ?? shared.input_validator_args ?? [],
      });
    }
  }
  return cases;
}
