/** What a node remembers: its state, its models, and the training runs in its data folder. */
import { createRegistry, describeComposition, type Registry } from '@skein/serving';
import {
  createDiskRoom,
  createRuns,
  type DataFolder,
  openFileArtifacts,
  openState,
  type Runs,
  type State,
  withReserve,
} from '@skein/state';
import { MAX_MODEL_BYTES, type Opening } from './room.ts';

export interface StorageRoom {
  readonly state: State;
  readonly registry: Registry;
  readonly runs: Runs;
}

export async function openStorage(
  { options, lifecycle }: Opening,
  folder: DataFolder,
): Promise<StorageRoom> {
  const state = withReserve(await openState(folder.databasePath), folder.reserve);
  lifecycle.open('state', () => state.close());
  const room = createDiskRoom({ folder: folder.root, keptFreeBytes: options.keptFreeBytes });
  const artifacts = await openFileArtifacts(folder.artifactsPath, { room });
  const registry = createRegistry({
    state,
    artifacts,
    limits: { maxModelBytes: MAX_MODEL_BYTES },
    describeComposition,
  });
  await registry.removeOrphans();
  return { state, registry, runs: createRuns(state, folder.root) };
}
