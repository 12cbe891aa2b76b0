/**
 * The rows of a site, checked against the columns of a plan before anything is sent. The encoding is
 * the plan's, so that it depends on no row.
 */
import { SkeinError } from '@skein/api/errors';
import { mlp, values } from '@skein/onnx';
import {
  assemblePublic,
  LABELS,
  readCsv,
  readJsonLines,
  roundedColumns,
  rowsFor,
  TrainError,
  type Dataset,
  type PublicColumns,
  type PublicFeature,
  type Table,
  type TableOptions,
} from '@skein/train';
import { countsIn } from '../statistics/layout.ts';
import type { Plan } from '../plan/plan.ts';

export type RowFormat = 'csv' | 'jsonl';
export type RowSource = Parameters<typeof readCsv>[0];

export interface SiteRows {
  /** By the names of the model's inputs, with labels. */
  readonly rows: Dataset;
  readonly count: number;
  /** Columns of the file that the plan does not use: none of their values is read. */
  readonly unused: readonly string[];
  /** Columns with rows whose value the plan does not have: no category of it, or beyond its range. */
  readonly outside: readonly OutsideColumn[];
  /** A sentence for each column whose numbers float32 rounds by much. */
  readonly rounded: readonly string[];
  /** Rows per class, in the order of the plan; empty for a regression. */
  readonly classes: readonly { readonly name: string; readonly rows: number }[];
  /** The patient of each row by number, −1 where none is named; absent: the plan bounds no rows of a patient. */
  readonly patients?: Int32Array;
}

/** Demands of a plan on rows, in addition to its columns. */
export interface RowTerms {
  /** The column that names the patient of a row. */
  readonly patient?: string | undefined;
  /** Whether rows may all be of one class, from which no model can be trained. */
  readonly mayBeOneClass?: boolean;
}

export function rowTermsOf(plan: Plan): RowTerms {
  const counts = countsIn(plan);
  return counts === undefined ? {} : { patient: counts.patient?.column, mayBeOneClass: true };
}

export interface OutsideColumn {
  readonly name: string;
  readonly kind: PublicFeature['kind'];
  readonly rows: number;
  /** The values of the plan: categories, or a range. */
  readonly planned: string;
}

/** @throws SkeinError SITE_DATA_UNFIT naming the column or row. */
export function readSiteRows(
  data: PublicColumns,
  source: RowSource,
  format: RowFormat = 'csv',
  terms: RowTerms = {},
): Promise<SiteRows> {
  return readSiteTable(data, (options) => tableOf(source, format, options), terms);
}

/** @param open reads the table of a file, with the options. @throws SkeinError SITE_DATA_UNFIT naming the column or row. */
export async function readSiteTable(
  data: PublicColumns,
  open: (options: TableOptions) => Promise<Table>,
  { patient, mayBeOneClass = false }: RowTerms = {},
): Promise<SiteRows> {
  try {
    const { features, target } = data;
    if (isOfArrays(data)) {
      throw unfit('The plan takes arrays, such as images, and the file is a table.');
    }
    const named = patient === undefined ? [] : [patient];
    const wanted = [...new Set([...[...features, target].map(({ name }) => name), ...named])];
    const table = await open({ missing: 'keep', wanted, categories: textsOf(data) });
    const present = table.columns.map(({ name }) => name);
    const missing = wanted.filter((name) => !present.includes(name));
    if (missing.length > 0) {
      throw unfit(
        `The rows lack the columns ${missing.join(', ')}; they have ${present.join(', ')}.`,
      );
    }
    const columns = table.columns.filter(({ name }) => wanted.includes(name));
    for (const feature of features) {
      requireNumbers(
        feature,
        columns.find(({ name }) => name === feature.name)!,
      );
    }
    // Rows are encoded by the columns alone: any network over them takes the same tensors.
    const linear = assemblePublic(
      data,
      ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
      0,
    );
    const used = { count: table.count, columns };
    const rows = rowsFor(linear, { from: 'table', table: used, label: target.name });
    const classes = classCounts(rows, target.kind === 'category' ? target.classes : []);
    const occurring = classes.filter((each) => each.rows > 0);
    if (occurring.length === 1 && !mayBeOneClass) {
      throw unfit(
        `All ${rows.count} rows have '${target.name}' = ${occurring[0]!.name}: a site needs rows of at least two classes.`,
      );
    }
    const unused = present.filter((name) => !wanted.includes(name));
    const outside = features.flatMap((feature) => {
      const found = columns.find(({ name }) => name === feature.name)!;
      const rows = outsideOf(feature, found);
      const { name, kind } = feature;
      return rows === 0 ? [] : [{ name, kind, rows, planned: plannedText(feature) }];
    });
    const rounded = roundedColumns(
      used,
      wanted.filter((name) => name !== patient),
    ).map(
      ({ lost }) =>
        `${lost}: the sites can agree on a constant that each of them subtracts from the column.`,
    );
    const read = { rows, count: rows.count, unused, outside, rounded, classes };
    if (patient === undefined) return read;
    return { ...read, patients: patientsOf(columns.find(({ name }) => name === patient)!) };
  } catch (error) {
    if (error instanceof TrainError) throw unfit(error.message, error);
    throw error;
  }
}

/** Whether rows are arrays, such as images, and no columns of a table. */
export const isOfArrays = ({ features }: Pick<PublicColumns, 'features'>): boolean =>
  features[0]?.kind === 'array';

function tableOf(source: RowSource, format: RowFormat, options: TableOptions): Promise<Table> {
  return format === 'csv' ? readCsv(source, options) : readJsonLines(source, options);
}

/** The texts that the plan lists, by column: none of them is a number or a missing value to the reader. */
function textsOf({ features, target }: PublicColumns): Readonly<Record<string, readonly string[]>> {
  const listed = features.flatMap((each) =>
    each.kind === 'category' ? [[each.name, each.categories] as const] : [],
  );
  if (target.kind === 'category') listed.push([target.name, target.classes]);
  return Object.fromEntries(listed);
}

/** @throws SkeinError SITE_DATA_UNFIT for texts, and for missing numbers that the plan does not fill in. */
function requireNumbers(feature: PublicFeature, column: Table['columns'][number]): void {
  if (feature.kind !== 'number') return;
  const { name } = feature;
  if (column.kind === 'category') {
    const [text] = column.categories;
    throw unfit(
      `Column '${name}' holds texts such as '${text}', and the plan takes numbers, with a decimal point.`,
    );
  }
  const missing = [...column.values.keys()].filter((row) => Number.isNaN(column.values[row]));
  if (missing.length === 0 || feature.fill !== undefined) return;
  const others = missing.length === 1 ? '' : ` (the first of ${missing.length} rows)`;
  throw unfit(
    `Row ${missing[0]} has no '${name}'${others}: leave such rows out, or ask the operator of the federation for a plan with a value for missing numbers (\`fill\`).`,
  );
}

function patientsOf(column: Table['columns'][number]): Int32Array {
  if (column.kind === 'category') return column.codes;
  const numbers = new Map<number, number>();
  return Int32Array.from(column.values, (value) => {
    if (Number.isNaN(value)) return -1;
    const known = numbers.get(value) ?? numbers.size;
    numbers.set(value, known);
    return known;
  });
}

/** The values that a plan has for a column. */
export function plannedText(feature: PublicFeature | PublicColumns['target']): string {
  if (feature.kind === 'number') return `${feature.low} to ${feature.high}`;
  if (feature.kind === 'array') return `${feature.type}, ${feature.shape.join(' × ')}`;
  const all = 'classes' in feature ? feature.classes : feature.categories;
  const shown = all.slice(0, MOST_SHOWN).join(', ');
  return all.length > MOST_SHOWN ? `${shown}, … (${all.length})` : shown;
}

/** Categories of a column that an error lists. */
const MOST_SHOWN = 8;

/** Rows that the plan has no value for. A missing number is filled in, or refused before. */
function outsideOf(feature: PublicFeature, column: Table['columns'][number]): number {
  if (feature.kind === 'number') {
    if (column.kind !== 'number') return 0;
    return column.values.filter((value) => value < feature.low || value > feature.high).length;
  }
  if (column.kind !== 'category' || feature.kind !== 'category') return 0;
  const known = column.categories.map((name) => feature.categories.includes(name));
  return column.codes.filter((code) => known[code] !== true).length;
}

/** One line for a person, about a column. */
export function outsideText({ name, kind, rows, planned }: OutsideColumn): string {
  const found = rows === 1 ? '1 row has a value' : `${rows} rows have values`;
  const counted = kind === 'number' ? 'taken as it is, not clipped' : 'taken for none of these';
  return `${found} of '${name}' that the plan does not have (${planned}), ${counted}.`;
}

export function classCounts({ tensors }: Dataset, names: readonly string[]): SiteRows['classes'] {
  const labels = values(tensors.get(LABELS)!);
  const counts = names.map(() => 0);
  for (const label of names.length === 0 ? [] : labels) counts[Number(label)]!++;
  return names.map((name, i) => ({ name, rows: counts[i]! }));
}

function unfit(message: string, cause?: unknown): SkeinError {
  return new SkeinError('SITE_DATA_UNFIT', message, { cause });
}
