/**
 * The plan of a statement: a pure function of its tree, the sizes of its tables and the workers.
 *
 *     one        the statement, as it is, on one worker with all its cores
 *     stages     (shuffle ──►) each part ──► (merge) ──► (finish)
 *
 * A part is a piece of the largest table with the others whole, or the rows of several tables whose
 * keys have one hash. Stages are planned only where more than one worker shares the work, and where
 * the parts together give the same rows; else the plan is `one`, which is right for every statement.
 */
import { inTwoSteps } from './aggregation.ts';
import { inlined, isTable } from './common-tables.ts';
import { atEnd, withoutEnd } from './end.ts';
import { joinKeys, type TableFacts } from './join.ts';
import { isGrouped, splitOf } from './split.ts';
import { columnName, isSelect, isTree, textOf, within, type Select, type Tree } from './tree.ts';

export interface PlanInput {
  /** The tree that DuckDB has for it; undefined where DuckDB has none. */
  readonly statement: unknown;
  /** Names of functions that may have one value for many rows, in small letters. */
  readonly aggregates: ReadonlySet<string>;
  readonly tables: Readonly<Record<string, TableFacts>>;
  /** Jobs of the map that run at once on all workers together. */
  readonly slots: number;
  /** Memory of one job, in bytes. */
  readonly memoryBytes: number;
  /** The least that is worth a job of its own. */
  readonly pieceBytes: number;
  /** Whether the results of single files are kept for a later map, which is worth a job for each. */
  readonly isByFile?: boolean | undefined;
}

export interface Shuffle {
  readonly table: string;
  /** Columns whose hash decides about the partition. */
  readonly keys: readonly string[];
  /** Columns that the statement uses; undefined for all. */
  readonly columns: readonly string[] | undefined;
}

export interface Stages {
  readonly kind: 'stages';
  readonly why: string;
  /** Absent: parts are pieces of `table`. */
  readonly shuffles?: readonly Shuffle[] | undefined;
  /** The table whose pieces are the parts, where no rows are shuffled. */
  readonly table: string;
  /** The statement over a part. */
  readonly each: Tree;
  /** Brings groups of parts together by these columns of `each`, all into one where there are none. */
  readonly merge?: { readonly sql: Tree; readonly keys: readonly string[] } | undefined;
  /** Over the view `part`, which has all rows: order and limit. */
  readonly finish?: Tree | undefined;
}

export type Plan = { readonly kind: 'one'; readonly why: string } | Stages;

/** Tables up to so many pieces go to every part whole. */
const WHOLE_PIECES = 8;

const one = (why: string): Plan => ({ kind: 'one', why });

/** @returns why several workers are not worth their beginning, whatever the statement is; undefined where they may be. */
export function whyAlone(slots: number, sizeBytes: number, pieceBytes: number): string | undefined {
  if (slots < 2) return 'one job runs at once';
  return sizeBytes < 2 * pieceBytes ? 'the tables are small' : undefined;
}

export function planStatement(input: PlanInput): Plan {
  const { statement, aggregates, tables, slots, memoryBytes, pieceBytes } = input;
  const total = Object.values(tables).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const why = input.isByFile === true ? undefined : whyAlone(slots, total, pieceBytes);
  if (why !== undefined) return one(why);
  if (!isSelect(statement)) return one('the statement is no plain SELECT');
  const unshared = whyNotShared(statement);
  if (unshared !== undefined) return one(unshared);
  const query = inlined(statement);
  if (query === undefined) return one('a common table is used several times');
  const bySize = Object.keys(tables).sort((a, b) => tables[b]!.sizeBytes - tables[a]!.sizeBytes);
  const [largest = ''] = bySize;
  if (!tables[largest]!.canBeCut) return one(`${largest} is one file, which only one job can read`);
  const uses = (name: string): number =>
    [...within(query)].filter((node) => isTable(node, name)).length;
  if (uses(largest) !== 1) return one(`${largest} is used ${uses(largest)} times`);
  if (!isInFrom(query, largest)) return one(`${largest} is in a query inside an expression`);
  const end = atEnd(query);
  if (end === undefined) return one('it is ordered by what it does not show');
  const split = splitOf(query, largest, Object.keys(tables[largest]!.columns), aggregates);
  const whole = Math.min(WHOLE_PIECES * pieceBytes, memoryBytes / 8);
  const large = bySize.slice(1).filter((name) => uses(name) > 0 && tables[name]!.sizeBytes > whole);

  let shuffles: Shuffle[] | undefined;
  if (large.length > 0) {
    const [other = '', third] = large;
    const pairs =
      third === undefined && uses(other) === 1 ? joinKeys(query, largest, other, tables) : [];
    if (pairs.length === 0) return one(`${large.join(' and ')} cannot go to every part`);
    shuffles = [
      shuffleOf(
        query,
        largest,
        tables,
        pairs.map(([own]) => own),
      ),
      shuffleOf(
        query,
        other,
        tables,
        pairs.map(([, theirs]) => theirs),
      ),
    ];
    const isKept =
      split.kind === 'any' ||
      (split.kind === 'keys' && pairs.every(([own]) => split.keys.includes(own)));
    if (isKept) {
      return {
        ...partsOf(query, end, largest),
        shuffles,
        why: `rows of ${largest} and ${other} meet by ${pairs.map(([own]) => own).join(', ')}`,
      };
    }
  }
  if (split.kind === 'any' && !isGrouped(query, aggregates)) {
    return { ...partsOf(query, end, largest), why: `each row of ${largest} counts on its own` };
  }
  const steps = isLinear(query, largest, tables, aggregates)
    ? inTwoSteps(query, aggregates)
    : undefined;
  if (steps !== undefined) {
    const inner = withoutEnd(steps.merged);
    const isSingle = steps.keys.length === 0;
    return {
      kind: 'stages',
      why: 'groups of parts are groups of all when they are merged',
      shuffles,
      table: largest,
      each: steps.partial,
      merge: { sql: isSingle ? steps.merged : inner, keys: steps.keys },
      finish: isSingle ? undefined : end.finish,
    };
  }
  if (split.kind === 'none') return one(split.why);
  if (split.kind === 'any' || shuffles !== undefined)
    return one('its groups need other keys than its join');
  return {
    ...partsOf(query, end, largest),
    shuffles: [shuffleOf(query, largest, tables, split.keys)],
    why: `groups, windows and distinct rows stay together by ${split.keys.join(', ')}`,
  };
}

/** Values that several jobs would not have in common, and names that only the whole statement has. */
function whyNotShared(query: Select): string | undefined {
  for (const node of within(query)) {
    if (isTree(node['sample'])) return 'a sample is taken of all rows together';
    const { column_name_alias: renamed } = node;
    if (Array.isArray(renamed) && renamed.length > 0) return 'columns of a table have other names';
    // Without parentheses a clock is read like a column.
    const name = columnName(node) ?? textOf(node, 'function_name');
    if (CLOCKS.has(name.toLowerCase())) return `${name} is one time for all rows`;
  }
  return undefined;
}

const CLOCKS: ReadonlySet<string> = new Set([
  'now',
  'today',
  'current_date',
  'current_localtime',
  'current_localtimestamp',
  'current_time',
  'current_timestamp',
  'localtime',
  'localtimestamp',
  'get_current_time',
  'get_current_timestamp',
  'transaction_timestamp',
]);

const partsOf = (
  query: Select,
  { each, finish }: NonNullable<ReturnType<typeof atEnd>>,
  table: string,
): Omit<Stages, 'why'> => ({ kind: 'stages', table, each: each(query), finish });

/** Whether the rows that the query groups come from the parts one by one. */
function isLinear(
  query: Select,
  name: string,
  tables: PlanInput['tables'],
  aggregates: ReadonlySet<string>,
): boolean {
  const rows = {
    ...query,
    select_list: [],
    group_expressions: [],
    group_sets: [],
    having: null,
    qualify: null,
    modifiers: [],
    aggregate_handling: 'STANDARD_HANDLING',
  };
  return splitOf(rows, name, Object.keys(tables[name]!.columns), aggregates).kind === 'any';
}

function shuffleOf(
  query: Select,
  table: string,
  tables: PlanInput['tables'],
  keys: readonly string[],
): Shuffle {
  return { table, keys, columns: columnsUsed(query, Object.keys(tables[table]!.columns)) };
}

/** Columns of a table that a statement may use: all whose names are in it. */
function columnsUsed(query: Select, columns: readonly string[]): readonly string[] | undefined {
  const tables = new Set(
    [...within(query)]
      .filter(({ type }) => type === 'BASE_TABLE' || type === 'SUBQUERY')
      .map((node) => (textOf(node, 'alias') || textOf(node, 'table_name')).toLowerCase()),
  );
  const named = new Set<string>();
  for (const node of within(query)) {
    // A table's own name is a value with all its columns.
    const own = columnName(node) ?? '';
    if (node['class'] === 'STAR' || tables.has(own.toLowerCase())) return undefined;
    const names = (node['column_names'] ?? node['using_columns'] ?? []) as readonly string[];
    for (const name of names) named.add(name.toLowerCase());
    if (node['ref_type'] === 'NATURAL') return undefined;
  }
  return columns.filter((column) => named.has(column.toLowerCase()));
}

/** Whether the table is in FROM, there or in an inner query of it, and in no expression. */
function isInFrom(query: Select, name: string): boolean {
  const inside = (node: Tree): boolean => {
    if (isTable(node, name)) return true;
    if (node['type'] === 'JOIN')
      return inside(node['left'] as Tree) || inside(node['right'] as Tree);
    if (node['type'] !== 'SUBQUERY') return false;
    const { node: inner } = node['subquery'] as { readonly node: unknown };
    return isSelect(inner) && inside(inner.from_table);
  };
  return inside(query.from_table);
}
