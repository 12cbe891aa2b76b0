/**
 * The parts of FHIR R4 resources that the service reads, each with its type checked. Further members
 * are ignored, as FHIR asks of a reader; `modifierExtension` is not: it may reverse a meaning.
 */
import { SkeinError } from '@skein/api';
import { z } from 'zod';

const text = (max: number) => z.string().min(1).max(max);
const Id = z.string().regex(/^[A-Za-z0-9\-.]{1,64}$/, 'must be a FHIR id');

const Coding = z.looseObject({ system: text(2000).optional(), code: text(200).optional() });
const CodeableConcept = z.looseObject({ coding: z.array(Coding).max(50).optional() });
const Reference = z.looseObject({ reference: text(2000).optional() });

const Quantity = z.looseObject({
  value: z.number().optional(),
  comparator: z.enum(['<', '<=', '>=', '>']).optional(),
  system: text(2000).optional(),
  code: text(100).optional(),
});

const value = {
  valueQuantity: Quantity.optional(),
  valueCodeableConcept: CodeableConcept.optional(),
  valueBoolean: z.boolean().optional(),
  dataAbsentReason: CodeableConcept.optional(),
  code: CodeableConcept,
};
const noModifier = {
  modifierExtension: z.undefined('cannot be interpreted by this service').optional(),
};

export const Observation = z
  .looseObject({
    resourceType: z.literal('Observation'),
    id: Id.optional(),
    status: z.enum([
      'registered',
      'preliminary',
      'final',
      'amended',
      'corrected',
      'cancelled',
      'entered-in-error',
      'unknown',
    ]),
    subject: Reference.optional(),
    effectiveDateTime: text(64).optional(),
    effectiveInstant: text(64).optional(),
    effectivePeriod: z
      .looseObject({ start: text(64).optional(), end: text(64).optional() })
      .optional(),
    component: z
      .array(z.looseObject({ ...value, ...noModifier }))
      .max(100)
      .optional(),
    ...value,
    ...noModifier,
  })
  .refine(
    (given) =>
      given.dataAbsentReason === undefined ||
      !Object.keys(given).some((key) => /^value[A-Z]/.test(key)),
    'has both a value and a dataAbsentReason (obs-6)',
  );
export type Observation = z.output<typeof Observation>;
/** The value of an Observation, or of one of its components. */
export type Valued = Pick<
  Observation,
  'code' | 'valueQuantity' | 'valueCodeableConcept' | 'valueBoolean'
>;

export const Patient = z.looseObject({
  resourceType: z.literal('Patient'),
  id: Id.optional(),
  gender: z.enum(['male', 'female', 'other', 'unknown']).optional(),
  birthDate: text(10).optional(),
  deceasedBoolean: z.boolean().optional(),
  deceasedDateTime: text(64).optional(),
  ...noModifier,
});
export type Patient = z.output<typeof Patient>;

const Entry = z.looseObject({
  fullUrl: text(2000).optional(),
  resource: z.looseObject({ resourceType: text(100) }).optional(),
  request: z.unknown().optional(),
  search: z.looseObject({ mode: z.enum(['match', 'include', 'outcome']).optional() }).optional(),
});

const Bundle = z.looseObject({
  resourceType: z.literal('Bundle'),
  type: z.enum(
    ['collection', 'searchset', 'document'],
    'must be collection, searchset or document',
  ),
  link: z
    .array(z.looseObject({ relation: text(100), url: text(4000) }))
    .max(20)
    .optional(),
  entry: z.array(Entry).max(2000).optional(),
});
export type Bundle = z.output<typeof Bundle>;
export type BundleEntry = z.output<typeof Entry>;

/** @throws SkeinError HEALTH_RESOURCE, naming the member by its path. */
export function readResource<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  at: string,
): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw invalid([at, ...path].join('.'), message);
}

/** Reads a Bundle with its invariants bdl-3 and bdl-7. @throws SkeinError HEALTH_RESOURCE. */
export function readBundle(given: unknown, at: string): Bundle {
  const bundle = readResource(Bundle, given, at);
  const seen = new Set<string>();
  (bundle.entry ?? []).forEach(({ fullUrl, resource, request }, i) => {
    const place = `${at}.entry.${i}`;
    if (request !== undefined)
      throw invalid(`${place}.request`, `has no place in a ${bundle.type} (bdl-3)`);
    if (fullUrl === undefined) return;
    const version = (resource?.['meta'] as { versionId?: unknown } | undefined)?.versionId;
    const key = JSON.stringify([fullUrl, version]);
    if (seen.has(key)) throw invalid(`${place}.fullUrl`, 'stands in the Bundle twice (bdl-7)');
    seen.add(key);
  });
  return bundle;
}

export function invalid(at: string, what: string): SkeinError {
  return new SkeinError('HEALTH_RESOURCE', `${at}: ${what}.`);
}
