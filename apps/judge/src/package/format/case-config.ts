/** The keys that `test_group.yaml` and a test case's own `.yaml` share (2025-09). */
import { z } from 'zod';

const Args = z.array(z.string());

export const caseKeys = {
  args: Args.optional(),
  input_validator_args: z.union([Args, z.record(z.string(), Args)]).optional(),
  output_validator_args: Args.optional(),
  input_visualizer_args: Args.optional(),
  output_visualizer_args: Args.optional(),
  full_feedback: z.boolean().optional(),
};

export const TestCaseYaml = z.strictObject({
  ...caseKeys,
  hint: z.string().optional(),
  description: z.string().optional(),
});

const oneOrMore = z.union([z.string().transform((one) => [one]), z.array(z.string())]);

export const TestGroupYaml = z.strictObject({
  ...caseKeys,
  max_score: z.union([z.literal('unbounded'), z.int().nonnegative()]).optional(),
  score_aggregation: z.enum(['pass-fail', 'sum', 'min']).optional(),
  static_validation_score: z.union([z.literal('pass-fail'), z.int().nonnegative()]).optional(),
  static_validator_args: Args.optional(),
  require_pass: oneOrMore.optional(),
  // For invalid and valid outputs.
  description: z.string().optional(),
});
export type TestGroupConfig = z.infer<typeof TestGroupYaml>;

/** A file's name without its last extension: `secret/a.in` → `secret/a`. */
export function stem(path: string): string {
  return path.slice(0, path.lastIndexOf('.'));
}
