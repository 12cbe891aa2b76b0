/** The persistent data of a node or a fleet: its state, its artifacts, its training runs. */
export { openFileArtifacts } from './artifacts/file-artifacts.ts';
export { defaultArtifactBound, openArtifacts } from './artifacts/open-artifacts.ts';
export { type Backend, backendOf } from './backend.ts';
export type {
  ArtifactStore,
  AuditEntry,
  ByteRange,
  DeploymentRecord,
  HistoryEntry,
  KeyRecord,
  State,
  Timestamp,
  VersionRecord,
} from './contract.ts';
export { openDataFolder, type DataFolder } from './data-folder.ts';
export { openState } from './open-state.ts';
export { createRuns, type Runs } from './runs/runs.ts';
export { openDatabase, type Database } from './sqlite/database.ts';
export { openSqliteState } from './sqlite/sqlite-state.ts';
export { withReserve } from './disk-reserve.ts';
export { createDiskRoom, type DiskRoom } from './disk-room.ts';
