/**
 * `problem.yaml` of the legacy format (and its ICPC subset), which most published packages use.
 *
 * Published packages contain keys of their own tools; these are named in a warning, not refused.
 */
import { z } from 'zod';
import { invalid } from '../invalid.ts';
import {
  ignoredKeys,
  LICENSES,
  limitFields,
  limitsIn,
  type Metadata,
  splitFlags,
} from './metadata.ts';
import { parseKnownKeys } from './yaml.ts';

const Limits = z.strictObject({
  time_limit: z.number().positive().optional(),
  time_multiplier: z.number().min(1).default(5),
  time_safety_margin: z.number().min(1).default(2),
  ...limitFields(z.number().positive()),
});

const text = z.union([z.string(), z.number()]).transform(String);

const ProblemYaml = z.strictObject({
  problem_format_version: z.string().optional(),
  type: z.enum(['pass-fail', 'scoring']).default('pass-fail'),
  name: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
  uuid: text.optional(),
  author: z.unknown().optional(),
  source: z.unknown().optional(),
  source_url: z.unknown().optional(),
  license: z.enum(LICENSES).default('unknown'),
  rights_owner: text.optional(),
  limits: Limits.prefault({}),
  validation: z.string().default('default'),
  validator_flags: text.default(''),
  grading: z
    .strictObject({
      objective: z.enum(['min', 'max']).default('max'),
      show_test_data_groups: z.boolean().default(false),
    })
    .optional(),
  keywords: z.union([z.string(), z.array(z.string())]).default(''),
});

/** @param shortName the default name of the package. */
export function readMetadataLegacy(source: string, shortName: string): Metadata {
  const file = 'problem.yaml';
  const { value: yaml, unknown } = parseKnownKeys(file, source, ProblemYaml);
  const [mode, ...options] = yaml.validation.split(/\s+/).filter((word) => word !== '');
  if (mode !== 'default' && mode !== 'custom') {
    throw invalid(file, `validation: must begin with default or custom, not "${yaml.validation}"`);
  }
  const strange = options.find((word) => word !== 'score' && word !== 'interactive');
  if (strange !== undefined || (mode === 'default' && options.length > 0)) {
    throw invalid(file, `validation: "${yaml.validation}" is none of the format’s modes`);
  }
  const scoring = yaml.type === 'scoring';
  if (options.includes('score') && !scoring) {
    throw invalid(file, 'validation: a validator that scores needs type: scoring');
  }
  if (yaml.grading !== undefined && !scoring) {
    throw invalid(file, 'grading: only for scoring problems');
  }
  const { limits } = yaml;
  return {
    version: 'legacy',
    draft: false,
    names: typeof yaml.name === 'object' ? yaml.name : { en: yaml.name ?? shortName },
    uuid: yaml.uuid,
    license: yaml.license,
    keywords:
      typeof yaml.keywords === 'string'
        ? yaml.keywords.split(/\s+/).filter((word) => word !== '')
        : yaml.keywords,
    embargoUntil: undefined,
    type: {
      scoring,
      interactive: options.includes('interactive'),
      multiPass: false,
      submitAnswer: false,
    },
    limits: {
      ...limitsIn(limits),
      multipliers: {
        acToTimeLimit: limits.time_multiplier,
        timeLimitToTle: limits.time_safety_margin,
      },
      timeResolutionMs: 1000,
      validationPasses: 1,
    },
    languages: 'all',
    allowFileWriting: false,
    constants: new Map(),
    objective: yaml.grading?.objective ?? 'max',
    customValidation: mode === 'custom',
    validatorFlags: splitFlags(yaml.validator_flags),
    warnings: ignoredKeys(unknown),
  };
}
