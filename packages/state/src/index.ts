/** The persistent data of a node or a fleet: its state, its artifacts, its training runs. */
export { openFileArtifacts } from './artifacts/file-artifacts.ts';
export { defaultArtifactBound, openArtifacts } from './artifacts/open-artifacts.ts';
export { createSweeper, type Sweeper } from './artifacts/sweeper.ts';
export type { Budgets } from './budgets/budgets.ts';
export type { Secrets } from './secrets/secrets.ts';
export type { Responses, StoredResponse } from './responses/responses.ts';
export { type Backend, backendOf } from './backend.ts';
export type { ArtifactStore, Records, State } from './contract.ts';
export type {
  AuditEntry,
  DeclarationRecord,
  DeploymentRecord,
  HistoryEntry,
  KeyRecord,
  RolloutRecord,
  VersionRecord,
} from './records.ts';
export { nodeOn, openDataFolder, type DataFolder } from './disk/data-folder.ts';
export { folderError, type FolderLock, folderPath, lockFolder } from './disk/folder-lock.ts';
export type { Lease } from './leases/leases.ts';
export type { ShareRequest, Shares } from './leases/shares.ts';
export { SCHEMA } from './members/members.ts';
export type { Member, MemberInfo, Membership } from './members/members.ts';
export { type FollowedState, followState, type Standing } from './known/followed-state.ts';
export { FLEET_NAMESPACE, openFleetState, openState } from './open-state.ts';
export { createDataSets, type DataSets } from './data-sets/data-sets.ts';
export {
  createDevices,
  type Devices,
  type DeviceEvidence,
  type DevicesRead,
  type StoredDevice,
  type StoredDeviceRollout,
  type StoredReport,
} from './devices/devices.ts';
export { createRuns, type Runs } from './runs/runs.ts';
export { type Database } from './sqlite/database.ts';
export { openSqliteState } from './sqlite/sqlite-state.ts';
export { withReserve } from './disk/disk-reserve.ts';
export { createDiskSpace, type DiskSpace } from './disk/disk-space.ts';
