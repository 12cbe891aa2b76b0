/** Opens the store that `--blobs` names: a bucket if it is a URL, otherwise a folder that nodes and workers share. */
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import type { ArtifactStore } from '../contract.ts';
import { createDiskRoom, type DiskRoom } from '../disk-room.ts';
import { FOLDER_MODE } from '../private-files.ts';
import { openFileArtifacts } from './file-artifacts.ts';

export interface OpenArtifactsOptions {
  /** Free space to keep on the disk of the folder or cache. Default: see `createDiskRoom`. */
  readonly keptFreeBytes?: number | undefined;
  /** Whether only the caller writes to the folder. Default: false. */
  readonly exclusive?: boolean;
}

/**
 * @param place `s3://bucket/prefix?endpoint=…`, or a folder, relative to the working directory.
 * @param cacheFolder local copies of the artifacts of a bucket.
 * @throws SkeinError USAGE, STORE_UNREACHABLE, DATA_FOLDER_UNUSABLE.
 */
export async function openArtifacts(
  place: string,
  cacheFolder: string,
  { keptFreeBytes, exclusive = false }: OpenArtifactsOptions = {},
): Promise<ArtifactStore> {
  const remote = place.startsWith('s3:');
  const folder = remote ? cacheFolder : resolve(place);
  const room = await roomIn(folder, keptFreeBytes);
  if (!remote) return openFileArtifacts(folder, { shared: !exclusive, room });
  const { openS3Artifacts } = await import('./s3-artifacts.ts');
  return openS3Artifacts({ url: place, cacheFolder, room });
}

async function roomIn(folder: string, keptFreeBytes: number | undefined): Promise<DiskRoom> {
  try {
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  } catch (error) {
    throw new SkeinError(
      'DATA_FOLDER_UNUSABLE',
      `The artifact folder ${folder} cannot be used: ${(error as Error).message}.`,
      { cause: error },
    );
  }
  return createDiskRoom({ folder, keptFreeBytes });
}
