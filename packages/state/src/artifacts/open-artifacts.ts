/**
 * The backends of artifacts: a line each. `--blobs` names a bucket by its URL, or a folder that nodes
 * and workers share. The contract test runs over all of them.
 */
import { statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import { makeFolders } from '@skein/api/folders';
import { SkeinError } from '@skein/api/errors';
import { backendOf, type Backend } from '../backend.ts';
import type { ArtifactStore } from '../contract.ts';
import { createDiskSpace, type DiskSpace } from '../disk/disk-space.ts';
import { FOLDER_MODE } from '../disk/private-files.ts';
import { openFileArtifacts } from './file-artifacts.ts';
import type { AwayListener } from './until-usable.ts';

export interface OpenArtifactsOptions {
  /** Free space to keep on the disk of the folder or cache. Default: see `createDiskSpace`. */
  readonly keptFreeBytes?: number | undefined;
  /** Bound of the local copies of a bucket, in bytes. Default: 10 GiB, and at most a third of the disk. */
  readonly cacheBytes?: number | undefined;
  /** Whether only the caller writes to the folder. Default: false. */
  readonly exclusive?: boolean;
  /** Present: a bucket that cannot be used is opened all the same, and its requests fail until it can. */
  readonly onAway?: AwayListener | undefined;
}

interface Placed extends OpenArtifactsOptions {
  /** Local copies of the artifacts of a bucket. */
  readonly cacheFolder: string;
}

interface ArtifactBackend extends Backend<Placed, ArtifactStore> {
  /** Bound of all artifacts together where the operator sets none, in bytes. */
  defaultBound(address: string): Promise<number>;
}

export const ARTIFACT_BACKENDS = {
  folder: {
    schemes: [],
    async open(address, { keptFreeBytes, exclusive = false }) {
      const folder = resolve(address);
      const space = await spaceIn(folder, keptFreeBytes);
      return openFileArtifacts(folder, { shared: !exclusive, mayBeAway: !exclusive, space });
    },
    // The disk is shared with everything else on it.
    async defaultBound(address) {
      const { blocks, bsize } = await statfs(address);
      return Math.floor((blocks * bsize) / 2);
    },
  },
  s3: {
    schemes: ['s3:'],
    async open(url, { cacheFolder, keptFreeBytes, ...more }) {
      const space = await spaceIn(cacheFolder, keptFreeBytes);
      const { openS3Artifacts } = await import('./s3-artifacts.ts');
      return openS3Artifacts({ url, cacheFolder, space, ...more });
    },
    // A bucket is bounded by its cost.
    defaultBound: async () => Infinity,
  },
  gcs: {
    schemes: ['gs:'],
    async open(url, { cacheFolder, keptFreeBytes, ...more }) {
      const space = await spaceIn(cacheFolder, keptFreeBytes);
      const { openGcsArtifacts } = await import('./gcs-artifacts.ts');
      return openGcsArtifacts({ url, cacheFolder, space, ...more });
    },
    defaultBound: async () => Infinity,
  },
} as const satisfies Readonly<Record<string, ArtifactBackend>>;

/**
 * @param address `s3://bucket/prefix?endpoint=…`, `gs://bucket/prefix`, or a folder, relative to the working directory.
 * @param cacheFolder local copies of the artifacts of a bucket.
 * @throws SkeinError USAGE, STORE_UNREACHABLE, STORE_DENIED, DATA_FOLDER_UNUSABLE.
 */
export async function openArtifacts(
  address: string,
  cacheFolder: string,
  options: OpenArtifactsOptions = {},
): Promise<ArtifactStore> {
  return backendOf(ARTIFACT_BACKENDS, address).open(address, { ...options, cacheFolder });
}

/** Bound of all artifacts there where the operator sets none, in bytes; the place exists. */
export async function defaultArtifactBound(address: string): Promise<number> {
  return backendOf(ARTIFACT_BACKENDS, address).defaultBound(address);
}

async function spaceIn(folder: string, keptFreeBytes: number | undefined): Promise<DiskSpace> {
  try {
    await makeFolders(folder, FOLDER_MODE);
  } catch (error) {
    throw new SkeinError(
      'DATA_FOLDER_UNUSABLE',
      `The artifact folder ${folder} cannot be used: ${(error as Error).message}.`,
      { cause: error },
    );
  }
  return createDiskSpace({ folder, keptFreeBytes });
}
