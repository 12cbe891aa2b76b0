/** Order and limit of a whole statement: applied to each part where that leaves fewer rows, and once more to all of them. */
import { columnName, select, signature, STAR, table, type Select, type Tree } from './tree.ts';

export interface End {
  /** The statement over a part. */
  readonly each: (query: Select) => Select;
  /** Over the view `part` with all rows; undefined where there is nothing left to do. */
  readonly finish: Tree | undefined;
}

interface Limit extends Tree {
  readonly limit: Tree | null;
  readonly offset: Tree | null;
}

const isEnd = ({ type }: Tree): boolean => type !== 'DISTINCT_MODIFIER';

export const withoutEnd = (query: Select): Select => ({
  ...query,
  modifiers: query.modifiers.filter((modifier) => !isEnd(modifier)),
});

/** @returns undefined where the order is by something that the statement does not show. */
export function atEnd(query: Select): End | undefined {
  const end = query.modifiers.filter(isEnd);
  if (end.length === 0) return { each: (given) => given, finish: undefined };
  const shown: Tree[] = [];
  for (const modifier of end) {
    if (modifier['type'] !== 'ORDER_MODIFIER') {
      shown.push(modifier);
      continue;
    }
    const orders = modifier['orders'] as readonly (Tree & { readonly expression: Tree })[];
    const named = orders.map(({ expression, ...order }) => ({
      ...order,
      expression: asShown(query, expression),
    }));
    if (named.some(({ expression }) => expression === undefined)) return undefined;
    shown.push({ ...modifier, orders: named });
  }
  const finish = select({ select_list: [STAR], from_table: table('part'), modifiers: shown });
  return { each: (given) => eachOf(given), finish };
}

/** The first rows of a part are enough where the first of all are wanted. */
function eachOf(query: Select): Select {
  const picksByOrder = query.modifiers.some(
    ({ type, distinct_on_targets: on }) =>
      type === 'DISTINCT_MODIFIER' && Array.isArray(on) && on.length > 0,
  );
  const limit = query.modifiers.find(({ type }) => type === 'LIMIT_MODIFIER') as Limit | undefined;
  const most = limit === undefined ? undefined : rowsOf(limit);
  const modifiers = query.modifiers.flatMap((modifier) => {
    if (!isEnd(modifier)) return [modifier];
    if (modifier['type'] === 'ORDER_MODIFIER')
      return picksByOrder || most !== undefined ? [modifier] : [];
    return most === undefined || modifier !== limit
      ? []
      : [{ ...limit, limit: most, offset: null }];
  });
  return { ...query, modifiers };
}

/** The number of rows that are skipped and shown together; undefined where these are no plain numbers. */
function rowsOf({ limit, offset }: Limit): Tree | undefined {
  const shown = numberOf(limit);
  const skipped = offset === null ? 0 : numberOf(offset);
  if (limit === null || shown === undefined || skipped === undefined) return undefined;
  const type = { id: 'BIGINT', type_info: null };
  return { ...limit, value: { type, is_null: false, value: shown + skipped } };
}

function numberOf(expression: Tree | null): number | undefined {
  const { value } = (expression?.['class'] === 'CONSTANT' ? expression['value'] : {}) as {
    readonly value?: unknown;
  };
  return typeof value === 'number' ? value : undefined;
}

/** An expression of ORDER BY over the columns that the statement shows. */
function asShown(query: Select, expression: Tree): Tree | undefined {
  if (expression['class'] === 'CONSTANT' || expression['class'] === 'STAR') return expression;
  const name = columnName(expression);
  const isPlain =
    name !== undefined && (expression['column_names'] as readonly string[]).length === 1;
  const items = query.select_list;
  if (isPlain && items.some((item) => item['alias'] === name)) return expression;
  const at = items.findIndex((item) => signature(item) === signature(expression));
  const hasStar = items.some((item) => item['class'] === 'STAR');
  if (at >= 0 && !hasStar) {
    return {
      class: 'CONSTANT',
      type: 'VALUE_CONSTANT',
      alias: '',
      value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value: at + 1 },
    };
  }
  return isPlain && hasStar ? expression : undefined;
}
