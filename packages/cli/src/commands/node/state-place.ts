/** Where `skein state` reads and writes: a data folder, or the Redis and the bucket of a fleet. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import {
  createRuns,
  openArtifacts,
  openDataFolder,
  openFileArtifacts,
  openFleetState,
  openState,
  type ArtifactStore,
  type State,
} from '@skein/state';
import { copyDatabase } from '@skein/state/transfer';
import type { OptionValues } from '../../command-line/command.ts';
import { dataFolder, dataOption, type Place } from '../../connection/connection.ts';
import { fleetPlace } from '../../command-line/environment.ts';
import { text } from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';

export const placeOptions = {
  data: dataOption,
  redis: text(
    'URL',
    'Redis of a fleet, instead of a data folder (or SKEIN_REDIS, without --data).',
  ),
  blobs: text(
    'PLACE',
    'Bucket (s3://… or gs://…) or shared folder of artifacts of the fleet (or SKEIN_BLOBS).',
  ),
  namespace: text('NAME', 'Namespace of the fleet in this Redis.'),
};

type PlaceChoice = Partial<OptionValues<typeof placeOptions>>;

interface OpenPlace {
  readonly state: State;
  readonly artifacts: ArtifactStore;
  close(): Promise<void>;
}

/** The given place; without --data, the fleet that the environment names, as for a node. */
export function placeOf(context: Place, choice: PlaceChoice): PlaceChoice {
  const { redis, blobs } = fleetPlace(context, choice);
  return choice.data !== undefined || redis === undefined ? choice : { ...choice, redis, blobs };
}

/** Closes the place after the work, whatever becomes of it. */
export async function inPlace<T>(
  opening: Promise<OpenPlace>,
  work: (place: OpenPlace) => Promise<T>,
): Promise<T> {
  const place = await opening;
  try {
    return await work(place);
  } finally {
    await place.close();
  }
}

/** Reads: a node may run on the data folder. @throws SkeinError USAGE, FILE_UNREADABLE, STORE_UNREACHABLE. */
export async function openSource(context: Place, choice: PlaceChoice): Promise<OpenPlace> {
  if (isFleet(choice)) return openFleet(choice);
  const folder = dataFolder(context, choice.data);
  const database = join(folder, 'state.sqlite');
  if (!existsSync(database)) {
    const message = `There is no state in ${folder}; --data names the data folder of a node.`;
    throw new SkeinError('FILE_UNREADABLE', message);
  }
  const scratch = await mkdtemp(join(tmpdir(), 'skein-state-'));
  const remove = () => rm(scratch, { recursive: true, force: true });
  try {
    const copy = join(scratch, 'state.sqlite');
    await copyDatabase(database, copy);
    const state = await openState(copy);
    // Runs that no node has listed yet are only in the folder.
    await createRuns(state, folder).list({ limit: 1 });
    const artifacts = await openFileArtifacts(join(folder, 'artifacts'), { shared: true });
    return opened(state, artifacts, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Writes: no node may run on the data folder. @throws SkeinError DATA_FOLDER_LOCKED, and as above. */
export async function openTarget(context: Place, choice: PlaceChoice): Promise<OpenPlace> {
  if (isFleet(choice)) return openFleet(choice);
  const folder = await openDataFolder(dataFolder(context, choice.data));
  try {
    const state = await openState(folder.databasePath);
    const artifacts = await openFileArtifacts(folder.artifactsPath);
    return opened(state, artifacts, () => folder.close());
  } catch (error) {
    await folder.close();
    throw error;
  }
}

const WHICH_FLEET = 'Name the fleet by both --redis URL and --blobs PLACE.';

/** @throws SkeinError USAGE. */
export function requireFleet(choice: PlaceChoice): void {
  if (!isFleet(choice)) throw usageError(WHICH_FLEET);
}

function isFleet({ data, redis, blobs, namespace }: PlaceChoice): boolean {
  if (redis === undefined && blobs === undefined && namespace === undefined) return false;
  if (redis === undefined || blobs === undefined) {
    throw usageError(WHICH_FLEET);
  }
  if (data !== undefined) throw usageError('--data and --redis exclude each other.');
  return true;
}

async function openFleet({ redis = '', blobs = '', namespace }: PlaceChoice): Promise<OpenPlace> {
  const cache = await mkdtemp(join(tmpdir(), 'skein-copies-'));
  const remove = () => rm(cache, { recursive: true, force: true });
  try {
    const state = await openFleetState(redis, { namespace });
    const artifacts = await openArtifacts(blobs, cache).catch(async (error: unknown) => {
      await state.close();
      throw error;
    });
    return opened(state, artifacts, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

function opened(state: State, artifacts: ArtifactStore, after: () => Promise<void>): OpenPlace {
  return {
    state,
    artifacts,
    async close() {
      await artifacts.close();
      await state.close();
      await after();
    },
  };
}
