/**
 * `problem.yaml` of the legacy format (and its ICPC subset), which most published packages use, with
 * the types that DOMjudge adds: interactive and multi-pass problems.
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
  passesField,
  passesIn,
  splitFlags,
} from './metadata.ts';
import { problemType, typeField, validationField } from './problem-type.ts';
import { parseKnownKeys } from './yaml.ts';

const Limits = z.strictObject({
  time_limit: z.number().positive().optional(),
  validation_passes: passesField,
  time_multiplier: z.number().min(1).default(5),
  time_safety_margin: z.number().min(1).default(2),
  ...limitFields(z.number().positive()),
});

const text = z.union([z.string(), z.number()]).transform(String);

const ProblemYaml = z.strictObject({
  problem_format_version: z.string().optional(),
  type: typeField(['pass-fail', 'scoring', 'interactive', 'multi-pass']),
  name: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
  uuid: text.optional(),
  author: z.unknown().optional(),
  source: z.unknown().optional(),
  source_url: z.unknown().optional(),
  license: z.enum(LICENSES).default('unknown'),
  rights_owner: text.optional(),
  limits: Limits.prefault({}),
  validation: validationField.default(['default']),
  validator_flags: text.default(''),
  grading: z
    .strictObject({
      objective: z.enum(['min', 'max']).default('max'),
      show_test_data_groups: z.boolean().default(false),
    })
    .optional(),
  keywords: z.union([z.string(), z.array(z.string())]).default(''),
});

/** @param otherwise the name of a package that gives none. */
export function readMetadataLegacy(source: string, otherwise: string): Metadata {
  const file = 'problem.yaml';
  const { value: yaml, unknown } = parseKnownKeys(file, source, ProblemYaml);
  const type = problemType(yaml.type, yaml.validation);
  if (yaml.grading !== undefined && !type.scoring) {
    throw invalid(file, 'grading: only for scoring problems');
  }
  const { limits } = yaml;
  return {
    version: 'legacy',
    draft: false,
    names: typeof yaml.name === 'object' ? yaml.name : { en: yaml.name ?? otherwise },
    uuid: yaml.uuid,
    license: yaml.license,
    keywords:
      typeof yaml.keywords === 'string'
        ? yaml.keywords.split(/\s+/).filter((word) => word !== '')
        : yaml.keywords,
    embargoUntil: undefined,
    type,
    limits: {
      ...limitsIn(limits),
      multipliers: {
        acToTimeLimit: limits.time_multiplier,
        timeLimitToTle: limits.time_safety_margin,
      },
      timeResolutionMs: 1000,
      validationPasses: passesIn(type, limits.validation_passes),
    },
    languages: 'all',
    allowFileWriting: false,
    constants: new Map(),
    objective: yaml.grading?.objective ?? 'max',
    customValidation: yaml.validation[0] === 'custom' || type.interactive || type.multiPass,
    validatorFlags: splitFlags(yaml.validator_flags),
    warnings: ignoredKeys(unknown),
  };
}
