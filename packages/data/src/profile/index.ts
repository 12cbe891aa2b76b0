/** Profiles of tables, as statements and the readings of their answers. */
export { readShape, readSummary } from './answers.ts';
export { COLUMNS_SQL, type Column } from './columns.ts';
export { driftOf, driftSql, type ColumnChange } from './drift.ts';
export { profilePage } from './page.ts';
export { profileOf } from './profile.ts';
export type { Profile } from './result.ts';
export { shapeSql, summarySql } from './statements.ts';
