/**
 * Contracts of tables: a subset of the Open Data Contract Standard 3, for one table.
 *
 * Unknown keys are refused: an expectation with a wrong name would otherwise never be checked.
 * Specification: https://bitol-io.github.io/open-data-contract-standard/
 */
import { SkeinError } from '@skein/api/errors';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';

/** A larger contract is refused before it is parsed. */
const LARGEST_BYTES = 256 * 1024;

export const LOGICAL_TYPES = [
  'string',
  'integer',
  'number',
  'boolean',
  'date',
  'timestamp',
  'time',
  'array',
  'object',
] as const;
export type LogicalType = (typeof LOGICAL_TYPES)[number];

const Text = z.string().min(1).max(10_000);
const Between = z.tuple([z.number(), z.number()]);

const bounds = {
  mustBe: z.number().optional(),
  mustNotBe: z.number().optional(),
  mustBeGreaterThan: z.number().optional(),
  mustBeGreaterOrEqualTo: z.number().optional(),
  mustBeLessThan: z.number().optional(),
  mustBeLessOrEqualTo: z.number().optional(),
  mustBeBetween: Between.optional(),
  mustNotBeBetween: Between.optional(),
};
export type Bounds = z.infer<z.ZodObject<typeof bounds>>;

const described = { name: Text.optional(), description: Text.optional() };
const counted = { ...described, ...bounds, type: z.literal('library').optional() };
/** Percent of all rows, or a number of rows. */
const unit = z.enum(['rows', 'percent']).optional();

const Query = z.strictObject({
  ...described,
  ...bounds,
  type: z.literal('sql'),
  /** Answers with one number; `${table}` and, for a property, `${column}` stand for the names. */
  query: Text,
});
const RowCount = z.strictObject({ ...counted, metric: z.literal('rowCount') });
const Duplicates = z.strictObject({
  ...counted,
  metric: z.literal('duplicateValues'),
  unit,
  arguments: z.strictObject({ properties: z.array(Text).min(1) }),
});
const Values = z.discriminatedUnion('metric', [
  z.strictObject({ ...counted, metric: z.enum(['nullValues', 'duplicateValues']), unit }),
  z.strictObject({
    ...counted,
    metric: z.literal('missingValues'),
    unit,
    arguments: z.strictObject({ missingValues: z.array(z.string().nullable()) }),
  }),
  z.strictObject({
    ...counted,
    metric: z.literal('invalidValues'),
    unit,
    arguments: z.strictObject({
      validValues: z
        .array(z.union([z.string(), z.number()]))
        .min(1)
        .optional(),
      pattern: Text.optional(),
    }),
  }),
]);
export type Values = z.infer<typeof Values>;

const Property = z.strictObject({
  name: Text,
  description: Text.optional(),
  logicalType: z.enum(LOGICAL_TYPES).optional(),
  /** DuckDB's type. */
  physicalType: Text.optional(),
  required: z.boolean().optional(),
  unique: z.boolean().optional(),
  primaryKey: z.boolean().optional(),
  /** Values of private columns are never printed. */
  classification: z.enum(['public', 'internal', 'restricted', 'private']).optional(),
  quality: z.array(z.union([Query, Values])).optional(),
});
export type Property = z.infer<typeof Property>;

const Contract = z.strictObject({
  apiVersion: z.string().regex(/^v3\.\d+\.\d+$/, 'It must be v3.0.0 or a later v3.'),
  kind: z.literal('DataContract'),
  id: Text,
  name: Text.optional(),
  version: z.string(),
  status: z.string(),
  description: z.strictObject({ purpose: Text.optional() }).optional(),
  schema: z
    .array(
      z.strictObject({
        name: Text,
        description: Text.optional(),
        logicalType: z.literal('object').optional(),
        physicalType: z.literal('table').optional(),
        properties: z.array(Property).min(1),
        quality: z.array(z.union([Query, RowCount, Duplicates])).optional(),
      }),
    )
    .length(1, 'A contract is about one table.'),
});
export type Contract = z.infer<typeof Contract>;

/** @param file for messages. @throws SkeinError CONTRACT_INVALID, which names the place. */
export function readContract(content: Uint8Array, file: string): Contract {
  const refused = (why: string): SkeinError =>
    new SkeinError('CONTRACT_INVALID', `${file}: ${why}`);
  if (content.length > LARGEST_BYTES) {
    throw refused(`${content.length} bytes; a contract has at most ${LARGEST_BYTES}.`);
  }
  const value = parsed(content, refused);
  const { success, data, error } = Contract.safeParse(value);
  if (!success) throw refused(firstProblem(error.issues, []));
  const names = data.schema[0]!.properties.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw refused(`schema[0].properties: ${twice} is there twice.`);
  for (const [place, rule] of rulesIn(data)) {
    const own = Object.keys(bounds).filter((key) => key in rule);
    if (own.length !== 1) {
      const found = own.length === 0 ? 'none' : own.join(' and ');
      throw refused(`${place}: exactly one of ${Object.keys(bounds).join(', ')}, not ${found}.`);
    }
  }
  return data;
}

function parsed(content: Uint8Array, refused: (why: string) => SkeinError): unknown {
  try {
    const lines = new LineCounter();
    const document = parseDocument(new TextDecoder().decode(content), { lineCounter: lines });
    const [problem] = document.errors;
    if (problem !== undefined) throw refused(problem.message.split('\n')[0]!);
    return document.toJS({ maxAliasCount: 10 });
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    // Aliases that multiply, or nesting beyond the stack.
    throw refused(error instanceof Error ? error.message : String(error));
  }
}

type Issue = z.core.$ZodIssue;

/** The first problem with its place, such as schema[0].properties[1].quality[0]. */
function firstProblem(issues: readonly Issue[], before: readonly PropertyKey[]): string {
  const [issue] = issues;
  const path = [...before, ...issue!.path];
  if (issue!.code === 'invalid_union' && issue!.errors.length > 0) {
    // The alternative that fits the best has its problem the deepest, and no wrong type or metric.
    const [best] = issue!.errors.toSorted((a, b) => misfit(a) - misfit(b));
    return firstProblem(best!, path);
  }
  const place = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`));
  return `${place.join('').replace(/^\./, '') || 'all of it'}: ${issue!.message}`;
}

const misfit = (issues: readonly Issue[]): number =>
  issues.filter(({ path }) => path[0] === 'type' || path[0] === 'metric').length * 100 +
  issues.length;

function rulesIn({ schema }: Contract): [place: string, rule: Bounds][] {
  const { quality = [], properties } = schema[0]!;
  return [
    ...quality.map((rule, at): [string, Bounds] => [`schema[0].quality[${at}]`, rule]),
    ...properties.flatMap(({ quality: own = [] }, at) =>
      own.map((rule, nth): [string, Bounds] => [
        `schema[0].properties[${at}].quality[${nth}]`,
        rule,
      ]),
    ),
  ];
}
