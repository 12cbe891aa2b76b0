/** Deltas of a new version from the last ones of its place, for devices that have one of those. */
import { SkeinError } from '@skein/api/errors';
import { sha256 } from '@skein/api/canonical';
import { makeDelta } from '../delta/make-delta.ts';
import type { Place } from '../trust/publish.ts';
import type { Bytes, Source } from '../trust/source.ts';
import { joinChunks, readChunk, splitFile, wireBytes, writeFile } from './files.ts';
import {
  manifestPath,
  MOST_DELTAS,
  MOST_MANIFEST_BYTES,
  parseManifest,
  type BundleFile,
  type Delta,
  type FoundManifest,
  type Manifest,
} from './manifest.ts';

/** A delta that saves less of a download is not worth its place, nor the work of a device. */
const MOST_SHARE = 0.8;

export interface NewFile {
  readonly variant: string;
  readonly content: Bytes;
  readonly file: BundleFile;
}

/** The published versions from the newest one back, as many as have deltas. */
export async function lastVersions(
  source: Source,
  newest: FoundManifest,
): Promise<readonly Manifest[]> {
  const versions = [newest.manifest];
  while (versions.length < MOST_DELTAS) {
    const { name, parent } = versions.at(-1)!;
    if (parent === null) break;
    const bytes = await source.read(manifestPath(name, parent), MOST_MANIFEST_BYTES);
    // An operator may have deleted old versions.
    if (bytes === undefined || (await sha256(bytes)) !== parent) break;
    versions.push(parseManifest(bytes));
  }
  return versions;
}

export interface Deltas {
  /** By the version that a device has; undefined where that has the same file. */
  readonly deltas: ReadonlyMap<number, Delta | undefined>;
  readonly leftOut: readonly string[];
}

/** Writes the deltas of one file. */
export async function makeDeltas(
  place: Place,
  earlier: readonly Manifest[],
  { variant, content, file }: NewFile,
): Promise<Deltas> {
  const deltas = new Map<number, Delta | undefined>();
  const leftOut: string[] = [];
  const what = (version: number): string => `delta of ${variant} from version ${version}`;
  for (const { version, variants, files } of earlier) {
    const path = variants.find(({ name }) => name === variant)?.model;
    const old = path === undefined ? undefined : files[path];
    if (old === undefined) continue;
    const same = [...deltas.values()].find((each) => each?.from === old.sha256);
    if (same !== undefined || old.sha256 === file.sha256) {
      deltas.set(version, same);
      continue;
    }
    try {
      const recipe = makeDelta(await publishedFile(place, path!, old), content);
      const share = wireBytes([(await splitFile(recipe)).file]) / wireBytes([file]);
      if (share <= MOST_SHARE) {
        deltas.set(version, { ...(await writeFile(place, recipe)), from: old.sha256 });
      } else {
        const percent = Math.round(100 * share);
        leftOut.push(`${what(version)}: it would have ${percent} % of the bytes of the whole file`);
      }
    } catch (error) {
      if (!(error instanceof SkeinError) || error.code !== 'EDGE_UNTRUSTED') throw error;
      leftOut.push(`${what(version)}: ${error.message}`);
    }
  }
  return { deltas, leftOut };
}

async function publishedFile(source: Source, path: string, file: BundleFile): Promise<Bytes> {
  const chunks: Bytes[] = [];
  for (const chunk of file.chunks) chunks.push(await readChunk(source, chunk));
  return joinChunks(path, file, chunks);
}
