/** From `--blobs` to a store: a bucket when it is a URL, else a folder that nodes and workers share. */
import { resolve } from 'node:path';
import type { ArtifactStore } from '../contract.ts';
import { openFileArtifacts } from './file-artifacts.ts';

/**
 * @param place `s3://bucket/prefix?endpoint=…`, or a folder, relative to the working directory.
 * @param cacheFolder local copies of what is in a bucket.
 * @throws SkeinError USAGE, STORE_UNREACHABLE, DATA_FOLDER_UNUSABLE.
 */
export async function openArtifacts(place: string, cacheFolder: string): Promise<ArtifactStore> {
  if (!place.startsWith('s3:')) return openFileArtifacts(resolve(place), { shared: true });
  const { openS3Artifacts } = await import('./s3-artifacts.ts');
  return openS3Artifacts({ url: place, cacheFolder });
}
