/** A node's storage: its state, its models, and the training runs in its data folder. */
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { createRegistry, describeComposition, type Registry } from '@skein/serving';
import {
  createDataSets,
  createDevices,
  createDiskSpace,
  createRuns,
  type DataFolder,
  type DataSets,
  type Devices,
  openArtifacts,
  openFileArtifacts,
  openState,
  type Runs,
  type State,
  withReserve,
} from '@skein/state';
import type { NodeOptions } from './options.ts';
import { MAX_MODEL_BYTES, type Opening } from './component.ts';
import type { SharedState } from './shared-state.ts';

export interface StorageComponent {
  readonly state: State;
  readonly registry: Registry;
  readonly runs: Runs;
  readonly dataSets: DataSets;
  readonly devices: Devices;
}

/** @throws SkeinError USAGE: the models of a fleet must be where every node sees them. */
export function requireBlobs({ redis, blobs }: NodeOptions): void {
  if (redis === undefined || blobs !== undefined) return;
  throw new SkeinError(
    'USAGE',
    'A node with `redis` needs `blobs`: its models must be where every node sees them.',
  );
}

/** @param shared the state of a fleet, whose artifacts this node shares too. */
export async function openStorage(
  opening: Opening,
  folder: DataFolder,
  shared: SharedState | undefined,
): Promise<StorageComponent> {
  const { options, lifecycle, logger } = opening;
  const limits = { maxModelBytes: MAX_MODEL_BYTES };
  if (shared !== undefined) {
    const { state, isRestart } = shared;
    const { keptFreeBytes, cacheBytes } = options;
    // Its own cache: the artifacts of jobs must not evict the models that a restart needs.
    const artifacts = await openArtifacts(options.blobs!, join(folder.root, 'model-cache'), {
      keptFreeBytes,
      cacheBytes,
      // A node that has copies serves without the bucket; one that has none could serve nothing.
      onAway: isRestart ? tellIn(logger) : undefined,
    });
    lifecycle.open('models', () => artifacts.close());
    // A node cannot know what others need of a shared place: it removes nothing there.
    const kept = { ...artifacts, remove: async () => {} };
    const registry = createRegistry({ state, artifacts: kept, limits, describeComposition });
    const runs = createRuns(state, folder.root);
    return {
      state,
      registry,
      runs,
      dataSets: createDataSets(state),
      devices: createDevices(state),
    };
  }
  const state = withReserve(await openState(folder.databasePath), folder.reserve);
  lifecycle.open('state', () => state.close());
  const space = createDiskSpace({ folder: folder.root, keptFreeBytes: options.keptFreeBytes });
  const artifacts = await openFileArtifacts(folder.artifactsPath, { space });
  const registry = createRegistry({ state, artifacts, limits, describeComposition });
  await registry.removeOrphans();
  const runs = createRuns(state, folder.root);
  return { state, registry, runs, dataSets: createDataSets(state), devices: createDevices(state) };
}

function tellIn(logger: Opening['logger']): (reason: SkeinError | undefined) => void {
  return (reason) => {
    if (reason === undefined) logger.info({}, 'The bucket of the fleet can be used again.');
    else logger.warn({ code: reason.code, reason: reason.message }, WITHOUT_BUCKET);
  };
}

const WITHOUT_BUCKET =
  'The bucket of the fleet cannot be used; this node serves the models that it has copies of.';
