/**
 * How the rows of one table may be divided, so that the statement over each part, taken together,
 * gives the rows of the statement over the whole. Rows of SQL have no order, except by ORDER BY.
 */
import { isTable } from './common-tables.ts';
import { columnName, isSelect, isTree, textOf, within, type Select, type Tree } from './tree.ts';

export type Split =
  /** In any way: each row counts on its own. */
  | { readonly kind: 'any' }
  /** Rows in which all of these columns are equal stay together; other columns may be left out of it. */
  | { readonly kind: 'keys'; readonly keys: readonly string[] }
  | { readonly kind: 'none'; readonly why: string };

interface Found {
  readonly split: Split;
  /** Columns of the table by the names that the query has for them in small letters, with and without the table's. */
  readonly names: ReadonlyMap<string, string>;
}

const none = (why: string): Split => ({ kind: 'none', why });
const ANY: Split = { kind: 'any' };

/**
 * @param columns of the table.
 * @param aggregates names of aggregate functions.
 * The order and the limit of the query itself are not regarded: they are applied to all parts together.
 */
export function splitOf(
  query: Select,
  name: string,
  columns: readonly string[],
  aggregates: ReadonlySet<string>,
): Split {
  return inQuery(query, name, columns, aggregates, true).split;
}

function inQuery(
  query: Select,
  name: string,
  columns: readonly string[],
  aggregates: ReadonlySet<string>,
  isOuter: boolean,
): Found {
  const from = inFrom(query.from_table, name, columns, aggregates);
  const { split } = ownSplit(query, from, aggregates, isOuter);
  const names = new Map<string, string>();
  for (const item of query.select_list) {
    if (item['class'] === 'STAR') {
      // The star of a join has columns of other tables too, with names that may be the table's.
      const isJoined = query.from_table['type'] === 'JOIN' && item['relation_name'] === '';
      if (!isJoined)
        for (const raw of starColumns(item, from.names)) names.set(raw.toLowerCase(), raw);
      continue;
    }
    const raw = columnOf(item, from.names);
    if (raw !== undefined)
      names.set((textOf(item, 'alias') || columnName(item)!).toLowerCase(), raw);
  }
  return { split, names };
}

function inFrom(
  from: Tree,
  name: string,
  columns: readonly string[],
  aggregates: ReadonlySet<string>,
): Found {
  const names = named(new Map(columns.map((each) => [each.toLowerCase(), each])), from);
  switch (from['type']) {
    case 'BASE_TABLE':
      return { split: ANY, names };
    case 'JOIN': {
      const { left, right } = from as { readonly left?: Tree; readonly right?: Tree };
      if (!isTree(left) || !isTree(right)) return { split: none('of its join'), names };
      const isLeft = [...within(left)].some((node) => isTable(node, name));
      const kept = isLeft ? ['INNER', 'LEFT', 'SEMI', 'ANTI'] : ['INNER', 'RIGHT'];
      const type = textOf(from, 'join_type');
      const isPlain = ['REGULAR', 'CROSS', 'NATURAL'].includes(textOf(from, 'ref_type'));
      const found = inFrom(isLeft ? left : right, name, columns, aggregates);
      if (!isPlain || !kept.includes(type)) {
        return { split: none(`a ${type} join needs all rows of ${name}`), names: found.names };
      }
      return found;
    }
    case 'SUBQUERY': {
      const { node } = from['subquery'] as { readonly node: unknown };
      if (!isSelect(node)) return { split: none('it joins the rows of several queries'), names };
      const inner = inQuery(node, name, columns, aggregates, false);
      return { ...inner, names: named(inner.names, from) };
    }
    default:
      return { split: none('of a table that only the whole statement can read'), names };
  }
}

function ownSplit(
  query: Select,
  { split: given, names }: Found,
  aggregates: ReadonlySet<string>,
  isOuter: boolean,
): { readonly split: Split } {
  if (given.kind === 'none') return { split: given };
  const limits = query.modifiers.filter(
    ({ type }) => type !== 'ORDER_MODIFIER' && type !== 'DISTINCT_MODIFIER',
  );
  if (!isOuter && limits.length > 0) return { split: none('an inner query has a limit') };
  const needs: (readonly string[])[] = given.kind === 'keys' ? [given.keys] : [];

  const expressions = [...query.select_list, query.having, query.qualify].filter(isTree);
  const inside = [...within(expressions)];
  if (isGrouped(query, aggregates)) {
    if (query.group_sets.length > 1) return { split: none('it has several grouping sets') };
    needs.push(rawColumns(keysOf(query, aggregates), names));
  }
  for (const window of inside.filter((node) => node['class'] === 'WINDOW')) {
    needs.push(rawColumns((window['partitions'] ?? []) as readonly Tree[], names));
  }
  for (const { type, distinct_on_targets: on } of query.modifiers) {
    if (type !== 'DISTINCT_MODIFIER') continue;
    const targets = (on ?? []) as readonly Tree[];
    const listed = targets.length > 0 ? targets : query.select_list;
    needs.push(rawColumns(listed, names));
  }
  if (needs.length === 0) return { split: ANY };
  const [first = [], ...rest] = needs;
  const keys = first.filter((key) => rest.every((each) => each.includes(key)));
  if (keys.length > 0) return { split: { kind: 'keys', keys } };
  return { split: none('no column of it is a key of every group, window and distinct') };
}

export function isGrouped(query: Select, aggregates: ReadonlySet<string>): boolean {
  if (query.group_expressions.length > 0 || query.group_sets.length > 0) return true;
  return [...query.select_list, ...(query.having === null ? [] : [query.having])].some((item) =>
    hasAggregate(item, aggregates),
  );
}

export const isAggregate = (node: Tree, aggregates: ReadonlySet<string>): boolean =>
  node['class'] === 'FUNCTION' && aggregates.has(textOf(node, 'function_name').toLowerCase());

/** Not inside a window or a query of its own. */
export function hasAggregate(node: Tree, aggregates: ReadonlySet<string>): boolean {
  if (node['class'] === 'WINDOW' || node['class'] === 'SUBQUERY') return false;
  if (isAggregate(node, aggregates)) return true;
  return Object.values(node).some((value) =>
    (Array.isArray(value) ? value : [value]).some(
      (each) => isTree(each) && hasAggregate(each, aggregates),
    ),
  );
}

/** The keys of a query's groups; GROUP BY ALL and positions are written out. */
export function keysOf(query: Select, aggregates: ReadonlySet<string>): readonly Tree[] {
  if (query.aggregate_handling === 'FORCE_AGGREGATES') {
    return query.select_list.filter((item) => !hasAggregate(item, aggregates));
  }
  return query.group_expressions.map((key) => {
    const { value } = (key['class'] === 'CONSTANT' ? key['value'] : {}) as { value?: unknown };
    if (typeof value === 'number') return query.select_list[value - 1] ?? key;
    const name = columnName(key);
    const aliased = query.select_list.find((item) => name !== undefined && item['alias'] === name);
    // In lower(x) AS x, GROUP BY x is the column.
    const isColumn =
      aliased === undefined || [...within(aliased)].some((each) => columnName(each) === name);
    return isColumn ? key : aliased;
  });
}

function rawColumns(expressions: readonly Tree[], names: ReadonlyMap<string, string>): string[] {
  return expressions.flatMap((each) =>
    each['class'] === 'STAR' ? starColumns(each, names) : (columnOf(each, names) ?? []),
  );
}

/** Columns of the table that a star has; none where it replaces, renames or leaves out some, or is another table's. */
function starColumns(star: Tree, names: ReadonlyMap<string, string>): readonly string[] {
  const isChanged = ['replace_list', 'rename_list', 'exclude_list'].some((list) => {
    const { length } = (star[list] ?? []) as readonly unknown[];
    return length > 0;
  });
  if (isChanged || star['expr'] !== null) return [];
  const table = textOf(star, 'relation_name').toLowerCase();
  const own = [...names].filter(([name]) => table === '' || name.startsWith(`${table}.`));
  return [...new Set(own.map(([, raw]) => raw))];
}

function columnOf(expression: Tree, names: ReadonlyMap<string, string>): string | undefined {
  if (expression['class'] !== 'COLUMN_REF') return undefined;
  return names.get((expression['column_names'] as readonly string[]).join('.').toLowerCase());
}

/** Adds the names with the one of their table. */
function named(columns: ReadonlyMap<string, string>, from: Tree): Map<string, string> {
  const own = (textOf(from, 'alias') || textOf(from, 'table_name')).toLowerCase();
  const plain = [...columns].filter(
    ([name, raw]) => name === raw.toLowerCase() || !name.includes('.'),
  );
  return new Map([...plain, ...plain.map(([name, raw]) => [`${own}.${name}`, raw] as const)]);
}
