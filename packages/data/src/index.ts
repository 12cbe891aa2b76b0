/** Tables of any size: DuckDB in bounded processes, and statements that are planned over workers. */
export { openEngines, type Ask, type AskOptions, type Engines } from './engine/engines.ts';
export { commonColumns } from './engine/json-types.ts';
export { boundsOf, LEAST_MEMORY_BYTES, type Answer, type Bounds } from './engine/memory.ts';
export type { FileRange } from './engine/needs.ts';
export type { Fetch, RowGroup, Statement, Written } from './engine/queries.ts';
export type { Table } from './engine/reader.ts';
export { identifier } from './engine/sql-text.ts';
export { planStatement, whyAlone, type Plan, type Shuffle, type Stages } from './plan/plan.ts';
