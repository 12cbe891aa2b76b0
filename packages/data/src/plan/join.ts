/** The columns by which two tables of a statement meet. */
import type { Columns } from '../data-set.ts';
import { isTable } from './common-tables.ts';
import { isTree, textOf, within, type Select, type Tree } from './tree.ts';

/** The properties of a table that a plan depends on. */
export interface TableFacts {
  readonly sizeBytes: number;
  /** DuckDB types by column. */
  readonly columns: Columns;
  /** Whether jobs can share its rows: it has several files, or is Parquet. */
  readonly canBeCut: boolean;
}

/**
 * @returns pairs of columns of both tables that a row must have equal; none where the statement needs
 * other rows of theirs to meet.
 */
export function joinKeys(
  { from_table: from }: Select,
  own: string,
  other: string,
  tables: Readonly<Record<string, TableFacts>>,
): readonly (readonly [own: string, other: string])[] {
  const has = (node: unknown, name: string): boolean =>
    [...within(node)].some((each) => isTable(each, name));
  const join = [...within(from)].findLast(
    (node) => node['type'] === 'JOIN' && has(node, own) && has(node, other),
  );
  if (join === undefined || join['ref_type'] !== 'REGULAR') return [];
  const { left, right } = join as { readonly left?: Tree; readonly right?: Tree };
  // An inner query may have other columns of the name.
  if (!isTree(left) || !isTree(right)) return [];
  const isOwnLeft = has(left, own);
  const [ours, theirs] = isOwnLeft ? [left, right] : [right, left];
  if (!isTable(theirs, other) || [...within(ours)].some(({ type }) => type === 'SUBQUERY'))
    return [];
  const using = (join['using_columns'] ?? []) as readonly string[];
  const find = (name: string, column: string): string | undefined =>
    Object.keys(tables[name]!.columns).find((each) => each.toLowerCase() === column.toLowerCase());
  const pairs: [string, string][] = [];
  for (const name of using) {
    const mine = find(own, name);
    const yours = find(other, name);
    if (mine !== undefined && yours !== undefined) pairs.push([mine, yours]);
  }
  const ownTable = [...within(ours)].find((each) => isTable(each, own))!;
  for (const [one, two] of equalities(join['condition'])) {
    for (const [a, b] of [
      [one, two],
      [two, one],
    ] as const) {
      const mine = columnIn(a, ownTable);
      const yours = columnIn(b, theirs);
      if (mine === undefined || yours === undefined) continue;
      const found = [find(own, mine), find(other, yours)] as const;
      if (found[0] !== undefined && found[1] !== undefined) pairs.push([found[0], found[1]]);
    }
  }
  // Equal values of two types have two hashes.
  const typeOf = (name: string, column: string): string | undefined =>
    tables[name]!.columns[column];
  return pairs.filter(([mine, yours]) => typeOf(own, mine) === typeOf(other, yours));
}

/** Both sides of the equalities that all must hold. */
function* equalities(condition: unknown): Generator<readonly [Tree, Tree]> {
  if (!isTree(condition)) return;
  if (condition['type'] === 'CONJUNCTION_AND') {
    for (const each of condition['children'] as readonly Tree[]) yield* equalities(each);
  } else if (condition['type'] === 'COMPARE_EQUAL') {
    yield [condition['left'] as Tree, condition['right'] as Tree];
  }
}

/** The column of a reference that names its table: without that, another table may have it too. */
function columnIn(expression: Tree, table: Tree): string | undefined {
  if (expression['class'] !== 'COLUMN_REF') return undefined;
  const [qualifier = '', name, more] = expression['column_names'] as readonly string[];
  const own = textOf(table, 'alias') || textOf(table, 'table_name');
  return more === undefined && qualifier.toLowerCase() === own.toLowerCase() ? name : undefined;
}
