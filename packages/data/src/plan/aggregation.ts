/**
 * A grouped statement in two: groups of each part, and groups of these. What travels between them
 * is one row for each group of a part instead of its rows.
 */
import { isAggregate, keysOf } from './split.ts';
import {
  call,
  column,
  columnName,
  isTree,
  replaced,
  select,
  signature,
  table,
  textOf,
  within,
  type Select,
  type Tree,
} from './tree.ts';

export interface TwoSteps {
  /** Over a part: columns `k0 …` of the groups, and `a0 …` of what is aggregated. */
  readonly partial: Select;
  /** Over the view `part`, which has rows of `partial`. */
  readonly merged: Select;
  readonly keys: readonly string[];
}

/** Merge with themselves: the sum of sums is the sum. */
const SAME = new Set([
  'min',
  'max',
  'sum',
  'bool_and',
  'bool_or',
  'bit_and',
  'bit_or',
  'bit_xor',
  'any_value',
]);
const COUNTS = new Set(['count', 'count_star']);
const MEANS = new Set(['avg', 'mean']);

/** @returns undefined where an aggregate, such as a median, does not follow from the aggregates of parts. */
export function inTwoSteps(query: Select, aggregates: ReadonlySet<string>): TwoSteps | undefined {
  const shown = [...query.select_list, query.having, query.modifiers].filter(Boolean);
  const nodes = [...within(shown)];
  const isSimple =
    query.qualify === null &&
    query.group_sets.length <= 1 &&
    !nodes.some((node) =>
      ['WINDOW', 'SUBQUERY', 'STAR', 'LAMBDA', 'LAMBDA_REF'].includes(textOf(node, 'class')),
    ) &&
    !query.modifiers.some(({ type }) => type === 'DISTINCT_MODIFIER');
  if (!isSimple) return undefined;
  const keys = keysOf(query, aggregates);
  const keyNames = new Map(keys.map((key, index) => [signature(key), `k${index}`]));
  const partials: Tree[] = [];
  const add = (aggregate: Tree): Tree => {
    const known = partials.findIndex((each) => signature(each) === signature(aggregate));
    const at =
      known < 0 ? partials.push({ ...aggregate, alias: `a${partials.length}` }) - 1 : known;
    return column(`a${at}`);
  };
  let isWhole = true;
  const names = new Set(query.select_list.map((item) => textOf(item, 'alias')).filter(Boolean));
  const merge = (node: Tree, mayName: boolean): Tree =>
    replaced(node, (each) => {
      const alias = textOf(each, 'alias');
      const key = keyNames.get(signature(each));
      if (key !== undefined) return column(key, alias);
      if (isAggregate(each, aggregates)) {
        const found = merged(each, add, alias);
        isWhole &&= found !== undefined;
        return found ?? each;
      }
      const name = columnName(each);
      if (name === undefined) return undefined;
      // ORDER BY and HAVING may name what the query shows.
      isWhole &&= mayName && names.has(name);
      return each;
    });
  const shownItems = query.select_list.map((item) => merge(item, false));
  const having = query.having === null ? null : merge(query.having, true);
  const modifiers = query.modifiers.map((modifier) => merge(modifier, true));
  if (!isWhole) return undefined;
  const groups = keys.map((_, index) => column(`k${index}`));
  return {
    partial: select({
      select_list: [...keys.map((key, index) => ({ ...key, alias: `k${index}` })), ...partials],
      from_table: query.from_table,
      where_clause: query.where_clause,
      ...grouped(keys.map((key) => ({ ...key, alias: '' }))),
    }),
    merged: select({
      select_list: shownItems,
      from_table: table('part'),
      ...grouped(groups),
      having,
      modifiers,
    }),
    keys: groups.map((group) => columnName(group)!),
  };
}

function grouped(expressions: readonly Tree[]): Pick<Select, 'group_expressions' | 'group_sets'> {
  if (expressions.length === 0) return { group_expressions: [], group_sets: [] };
  return { group_expressions: expressions, group_sets: [expressions.map((_, index) => index)] };
}

function merged(aggregate: Tree, add: (aggregate: Tree) => Tree, alias: string): Tree | undefined {
  const name = textOf(aggregate, 'function_name').toLowerCase();
  const { orders = [] } = (isTree(aggregate['order_bys']) ? aggregate['order_bys'] : {}) as {
    readonly orders?: readonly unknown[];
  };
  if (aggregate['distinct'] === true || orders.length > 0) return undefined;
  // With two arguments, min and max are lists of the least and the greatest.
  const { length } = aggregate['children'] as readonly Tree[];
  if (SAME.has(name) && length === 1) return call(name, [add(aggregate)], alias);
  // No row at all has the count 0, but the sum NULL.
  if (COUNTS.has(name)) {
    const counted = [call('sum', [add(aggregate)]), zero()];
    return { class: 'OPERATOR', type: 'OPERATOR_COALESCE', alias, children: counted };
  }
  if (MEANS.has(name)) {
    const of = (other: string): Tree => call('sum', [add({ ...aggregate, function_name: other })]);
    return call('/', [of('sum'), of('count')], alias);
  }
  return undefined;
}

const zero = (): Tree => ({
  class: 'CONSTANT',
  type: 'VALUE_CONSTANT',
  alias: '',
  value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value: 0 },
});
