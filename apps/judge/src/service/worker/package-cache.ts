/**
 * Problem packages on a worker, unpacked once each:
 *
 *     <folder>/<digest>/<short name>/problem.yaml …
 *
 * A package appears by a rename, so that concurrent attempts see all of it or nothing. A package
 * that has not been used for a while is removed when a worker starts.
 */
import { mkdir, mkdtemp, readdir, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { makeFolders } from '@skein/api/folders';
import { loadProblem } from '../../package/load-problem.ts';
import type { Problem } from '../../package/problem.ts';
import { unpackPackage } from '../../package/archive/unpack.ts';

export interface PackageReference {
  /** sha-256 of the archive. */
  readonly digest: string;
  readonly shortName: string;
}

const UNUSED_MS = 7 * 24 * 3_600_000;
const UNFINISHED = '.unpacking-';
const NAME = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,254}$/;

/**
 * @param pathOf a local, verified copy of an artifact.
 * @throws SkeinError PROBLEM_INVALID, ARTIFACT_CORRUPT, STORAGE_FULL.
 */
export async function cachedProblem(
  folder: string,
  { digest, shortName }: PackageReference,
  pathOf: (digest: string) => Promise<string>,
): Promise<Problem> {
  if (!NAME.test(shortName)) {
    throw new SkeinError('PROBLEM_INVALID', `"${shortName}" is not the name of a package.`);
  }
  const place = join(folder, digest);
  if (!(await isThere(place))) await unpackInto(folder, place, shortName, await pathOf(digest));
  const now = new Date();
  await utimes(place, now, now);
  return loadProblem(join(place, shortName));
}

async function unpackInto(
  folder: string,
  place: string,
  shortName: string,
  archive: string,
): Promise<void> {
  await makeFolders(folder, 0o700);
  const making = await mkdtemp(join(folder, UNFINISHED));
  try {
    // The short name of a package is the name of its archive; an artifact's file is named by its
    // digest.
    const named = join(making, `${shortName}.zip`);
    await symlink(archive, named);
    const unpacked = join(making, 'unpacked');
    await mkdir(unpacked);
    await unpackPackage(named, unpacked);
    await rename(unpacked, place).catch((error: NodeJS.ErrnoException) => {
      // A concurrent attempt was faster, with the same bytes.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

/** @param now ms since the epoch. */
export async function removeUnusedPackages(folder: string, now: number): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const place = join(folder, name);
    const status = await stat(place).catch(() => undefined);
    if (status !== undefined && now - status.mtimeMs > UNUSED_MS) {
      await rm(place, { recursive: true, force: true });
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
