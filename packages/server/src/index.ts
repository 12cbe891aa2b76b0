export { openKeyRing, type KeyRing } from './access/key-ring.ts';
export { startNode, type NodeOptions, type RunningNode } from './node.ts';
export { openDataFolder, type DataFolder } from './state/data-folder.ts';
export { openSqliteState } from './state/sqlite/sqlite-state.ts';
