/**
 * `problem.yaml` of format version 2025-09, and of its draft 2023-07, which has the same keys.
 *
 * The format wants unknown keys to be errors, but its own examples have some; here they are warnings,
 * which `verify --strict` counts as errors.
 */
import { z } from 'zod';
import { isCalendarDay } from '../../calendar-day.ts';
import { invalid } from '../invalid.ts';
import { DRAFTS } from '../layout.ts';
import {
  ignoredKeys,
  LICENSES,
  limitFields,
  limitsIn,
  type Metadata,
  passesField,
  passesIn,
} from './metadata.ts';
import { problemType, typeField, validationField } from './problem-type.ts';
import { parseKnownKeys } from './yaml.ts';

const TYPES = ['pass-fail', 'scoring', 'multi-pass', 'interactive', 'submit-answer'] as const;

const oneOrMore = <Item extends z.ZodType>(item: Item) =>
  z.union([item.transform((one) => [one]), z.array(item)]);

const Person = z.union([
  z.string().min(1),
  z.strictObject({
    name: z.string().min(1),
    email: z.string().optional(),
    orcid: z.string().optional(),
    kattis: z.string().optional(),
  }),
]);
const Persons = oneOrMore(Person);

const Credits = z.union([
  z.string().min(1),
  z.strictObject({
    authors: Persons.optional(),
    contributors: Persons.optional(),
    testers: Persons.optional(),
    translators: z.record(z.string(), Persons).optional(),
    packagers: Persons.optional(),
    acknowledgements: Persons.optional(),
  }),
]);

const Source = z.union([
  z.string().min(1),
  z.strictObject({ name: z.string().min(1), url: z.string().optional() }),
]);

const factor = (fallback: number) => z.number().min(1).default(fallback);

const Limits = z.strictObject({
  time_multipliers: z
    .strictObject({ ac_to_time_limit: factor(2), time_limit_to_tle: factor(1.5) })
    .prefault({}),
  time_limit: z.number().positive().optional(),
  time_resolution: z.number().positive().default(1),
  ...limitFields(z.int().positive()),
  validation_passes: passesField,
});

/** One that cannot be read would never come. */
const isInstant = (text: string): boolean => isCalendarDay(text) && !Number.isNaN(Date.parse(text));

const ProblemYaml = z.strictObject({
  problem_format_version: z.enum(['2025-09', ...DRAFTS]),
  type: typeField(TYPES),
  /** A key of the draft's first year. */
  validation: validationField.default([]),
  name: z.union([
    z
      .string()
      .min(1)
      .transform((en): Record<string, string> => ({ en })),
    z.record(z.string(), z.string().min(1)),
  ]),
  uuid: z.string().min(1).optional(),
  version: z.union([z.string(), z.number()]).optional(),
  credits: Credits.optional(),
  source: oneOrMore(Source).optional(),
  license: z.enum(LICENSES).default('unknown'),
  rights_owner: z.string().min(1).optional(),
  embargo_until: z
    .string()
    .regex(/^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?$/, 'must be YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ')
    .refine(isInstant, 'there is no such date or time')
    .optional(),
  limits: Limits.prefault({}),
  keywords: z.array(z.string()).default([]),
  languages: z
    .union([z.literal('all'), oneOrMore(z.string().min(1)).pipe(z.array(z.string()).nonempty())])
    .default('all')
    .transform((value) => (value.length === 1 && value[0] === 'all' ? ('all' as const) : value)),
  allow_file_writing: z.boolean().default(false),
  constants: z
    .record(
      z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'a constant’s name has letters, digits and _'),
      z.union([z.string(), z.number()]),
    )
    .default({}),
});

/** @throws SkeinError PROBLEM_INVALID. */
export function readMetadata2025(text: string): Metadata {
  const file = 'problem.yaml';
  const { value: yaml, unknown } = parseKnownKeys(file, text, ProblemYaml);
  const draft = yaml.problem_format_version !== '2025-09';
  const warnings = ignoredKeys(unknown);
  if (yaml.uuid === undefined) {
    if (!draft) throw invalid(file, 'uuid: required');
    warnings.push('problem.yaml: no uuid: the format requires one.');
  }
  if (!draft && yaml.validation.length > 0) {
    warnings.push(...ignoredKeys(['validation']));
  }
  const type = problemType(yaml.type, draft ? yaml.validation : []);
  const passes = yaml.limits.validation_passes;
  if (passes !== undefined && !type.multiPass && !draft) {
    throw invalid(file, 'limits.validation_passes: only for multi-pass problems');
  }
  if (yaml.license === 'public domain' && yaml.rights_owner !== undefined) {
    throw invalid(file, 'rights_owner: a problem in the public domain has none');
  }
  const owned = yaml.license !== 'unknown' && yaml.license !== 'public domain';
  if (owned && (yaml.rights_owner ?? yaml.credits ?? yaml.source?.[0]) === undefined) {
    throw invalid(file, `rights_owner: required when the license is ${yaml.license}`);
  }
  if (yaml.license === 'unknown') {
    warnings.push('problem.yaml: no license: by default the problem may not be used.');
  }
  const { limits } = yaml;
  return {
    version: '2025-09',
    draft,
    names: yaml.name,
    uuid: yaml.uuid,
    license: yaml.license,
    keywords: yaml.keywords,
    embargoUntil: yaml.embargo_until,
    type,
    limits: {
      ...limitsIn(limits),
      multipliers: {
        acToTimeLimit: limits.time_multipliers.ac_to_time_limit,
        timeLimitToTle: limits.time_multipliers.time_limit_to_tle,
      },
      timeResolutionMs: limits.time_resolution * 1000,
      validationPasses: passesIn(type, passes),
    },
    languages: yaml.languages,
    allowFileWriting: yaml.allow_file_writing,
    constants: new Map(Object.entries(yaml.constants).map(([name, value]) => [name, `${value}`])),
    objective: 'max',
    customValidation: draft && yaml.validation[0] === 'custom' ? true : undefined,
    validatorFlags: [],
    warnings,
  };
}
