/**
 * The rules of a group as version 2023-07-draft writes them, in the terms of version 2025-09.
 *
 * The draft splits the points that a group does not give away evenly among its children; since
 * 2025-09 each group names its own.
 */
import { z } from 'zod';
import { TestGroupYaml, type TestGroupConfig } from './format/case-config.ts';
import { splitFlags } from './format/metadata.ts';
import { parseKnownKeys } from './format/yaml.ts';

/** A sequence, or, as in the first years of the draft, one string. */
const Args = z.union([z.string().transform(splitFlags), z.array(z.string())]);
const Score = TestGroupYaml.shape.max_score;

interface StaticValidation {
  readonly args?: string[] | undefined;
  readonly score?: number | undefined;
}

const DraftGroupYaml = z.strictObject({
  ...TestGroupYaml.shape,
  hint: z.string().optional(),
  input_validator_args: z.union([Args, z.record(z.string(), Args)]).optional(),
  output_validator_args: Args.optional(),
  input_validator_flags: Args.optional(),
  output_validator_flags: Args.optional(),
  scoring: z
    .strictObject({
      score: Score,
      aggregation: TestGroupYaml.shape.score_aggregation,
      require_pass: TestGroupYaml.shape.require_pass,
    })
    .optional(),
  static_validation: z
    .union([
      z.boolean().transform((on): StaticValidation | undefined => (on ? {} : undefined)),
      z.strictObject({ args: Args.optional(), score: z.int().nonnegative().optional() }),
    ])
    .optional(),
});

/** @returns the rules, and the keys that the draft does not have. @throws SkeinError PROBLEM_INVALID. */
export function readDraftGroup(
  file: string,
  text: string,
): { readonly config: TestGroupConfig; readonly unknown: readonly string[] } {
  const { value, unknown } = parseKnownKeys(file, text, DraftGroupYaml);
  const {
    hint: _,
    scoring,
    static_validation: fixed,
    input_validator_flags: inputFlags,
    output_validator_flags: outputFlags,
    ...rest
  } = value;
  const config: TestGroupConfig = {
    ...rest,
    max_score: scoring?.score ?? rest.max_score,
    score_aggregation: scoring?.aggregation ?? rest.score_aggregation,
    require_pass: scoring?.require_pass ?? rest.require_pass,
    input_validator_args: rest.input_validator_args ?? inputFlags,
    output_validator_args: rest.output_validator_args ?? outputFlags,
    ...(fixed === undefined
      ? {}
      : { static_validation_score: fixed.score ?? 'pass-fail', static_validator_args: fixed.args }),
  };
  return { config, unknown };
}

/**
 * The points of a group that names none.
 *
 * @param siblings the groups of the same parent, itself included.
 */
export function sharedScore(
  above: { readonly maxScore: number; readonly aggregation: string },
  siblings: readonly TestGroupConfig[],
): number {
  if (above.aggregation !== 'sum' || !Number.isFinite(above.maxScore)) return above.maxScore;
  const given = siblings.map(({ max_score }) => max_score).filter((score) => score !== undefined);
  const taken = given.reduce<number>(
    (sum, score) => sum + (score === 'unbounded' ? Number.POSITIVE_INFINITY : score),
    0,
  );
  return Math.max(0, above.maxScore - taken) / Math.max(1, siblings.length - given.length);
}
