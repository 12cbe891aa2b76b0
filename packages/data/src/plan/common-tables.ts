/** Writes the common tables of a query (WITH) where they are used, where each is used once. */
import { isTree, replaced, textOf, within, type Select, type Tree } from './tree.ts';

interface CommonTable {
  readonly key: string;
  readonly value: { readonly aliases: readonly string[]; readonly query: { readonly node: Tree } };
}

/** @returns undefined where one is used several times, is recursive, or renames its columns. */
export function inlined(query: Select): Select | undefined {
  const { map = [] } = (query['cte_map'] ?? {}) as { readonly map?: readonly CommonTable[] };
  let result: Select = { ...query, cte_map: { map: [] } };
  // The last one first: each may use those before it.
  for (const { key, value } of map.toReversed()) {
    const { aliases, query: inner } = value;
    const uses = [...within(result)].filter((node) => isTable(node, key)).length;
    if (uses > 1 || aliases.length > 0 || inner.node['type'] !== 'SELECT_NODE') return undefined;
    result = replaced(result, (node) =>
      isTable(node, key) ? subquery(inner.node, textOf(node, 'alias') || key) : undefined,
    );
  }
  return [...within(result)].some(hasCommonTables) ? undefined : result;
}

export const isTable = (node: Tree, name: string): boolean =>
  node['type'] === 'BASE_TABLE' &&
  textOf(node, 'table_name').toLowerCase() === name.toLowerCase() &&
  textOf(node, 'schema_name') === '';

function hasCommonTables(node: Tree): boolean {
  const { cte_map: map } = node;
  return isTree(map) && Array.isArray(map['map']) && map['map'].length > 0;
}

const subquery = (node: Tree, alias: string): Tree => ({
  type: 'SUBQUERY',
  alias,
  sample: null,
  subquery: { node, named_param_map: [] },
  column_name_alias: [],
});
