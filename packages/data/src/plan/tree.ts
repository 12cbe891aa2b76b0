/** The trees of statements as DuckDB writes them: the few parts of them that the planner reads and makes. */

export type Tree = { readonly [key: string]: unknown };

export interface Select extends Tree {
  readonly select_list: readonly Tree[];
  readonly from_table: Tree;
  readonly where_clause: Tree | null;
  readonly group_expressions: readonly Tree[];
  readonly group_sets: readonly (readonly number[])[];
  readonly aggregate_handling: string;
  readonly having: Tree | null;
  readonly qualify: Tree | null;
  readonly sample: Tree | null;
  readonly modifiers: readonly Tree[];
}

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isSelect = (node: unknown): node is Select =>
  isTree(node) && node['type'] === 'SELECT_NODE';

export function textOf(node: Tree, key: string): string {
  const { [key]: text } = node;
  return typeof text === 'string' ? text : '';
}

/** All trees below a value, it among them, from the outside in. */
export function* within(value: unknown): Generator<Tree> {
  if (Array.isArray(value)) for (const each of value) yield* within(each);
  if (!isTree(value)) return;
  yield value;
  for (const each of Object.values(value)) yield* within(each);
}

/** Replaces trees; what replaces one is not read again. @param change returns undefined to keep a tree. */
export function replaced<T>(value: T, change: (node: Tree) => Tree | undefined): T {
  if (Array.isArray(value)) return value.map((each) => replaced<unknown>(each, change)) as T;
  if (!isTree(value)) return value;
  const other = change(value);
  if (other !== undefined) return other as T;
  const entries = Object.entries(value).map(([key, each]) => [key, replaced(each, change)]);
  return Object.fromEntries(entries) as T;
}

/** Equal for expressions that are written in the same way, whatever their names and places. */
export function signature(expression: Tree): string {
  const hidden = new Set(['alias', 'query_location']);
  return JSON.stringify(expression, (key, value: unknown) => (hidden.has(key) ? undefined : value));
}

export const column = (name: string, alias = ''): Tree => ({
  class: 'COLUMN_REF',
  type: 'COLUMN_REF',
  alias,
  column_names: [name],
});

export const call = (name: string, children: readonly Tree[], alias = ''): Tree => ({
  class: 'FUNCTION',
  type: 'FUNCTION',
  alias,
  function_name: name,
  schema: '',
  children,
  filter: null,
  order_bys: { type: 'ORDER_MODIFIER', orders: [] },
  distinct: false,
  is_operator: name === '/',
  export_state: false,
  catalog: '',
});

export const table = (name: string): Tree => ({
  type: 'BASE_TABLE',
  alias: '',
  sample: null,
  schema_name: '',
  table_name: name,
  column_name_alias: [],
  catalog_name: '',
  at_clause: null,
});

export const STAR: Tree = {
  class: 'STAR',
  type: 'STAR',
  alias: '',
  relation_name: '',
  exclude_list: [],
  replace_list: [],
  columns: false,
  expr: null,
  qualified_exclude_list: [],
  rename_list: [],
};

export function select(
  parts: Partial<Select> & Pick<Select, 'select_list' | 'from_table'>,
): Select {
  return {
    type: 'SELECT_NODE',
    modifiers: [],
    cte_map: { map: [] },
    where_clause: null,
    group_expressions: [],
    group_sets: [],
    aggregate_handling: 'STANDARD_HANDLING',
    having: null,
    sample: null,
    qualify: null,
    ...parts,
  };
}

/** The name of a column reference without its table: `t.a` is a; undefined for anything else. */
export function columnName(expression: Tree): string | undefined {
  const names = expression['class'] === 'COLUMN_REF' ? expression['column_names'] : undefined;
  return Array.isArray(names) ? String(names.at(-1)) : undefined;
}
