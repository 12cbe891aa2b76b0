/** Moves a whole state: a snapshot of a live one, an export as a folder, an import. */
export { copyDatabase } from './copy-database.ts';
export { readExport, writeExport, type Progress } from './export-folder.ts';
export { importSnapshot, type Imported, type ImportOptions } from './import.ts';
export type { RowKind } from './rows.ts';
export { snapshotOf, type Snapshot } from './snapshot.ts';
