/**
 * Fetches the files of a version. Chunks are kept until the version is installed, so that a download that breaks off
 * continues at the chunk that it lacks.
 *
 * A model comes from the installed one by a delta where there is a smaller one. Whatever is wrong with a delta, the
 * model is downloaded whole, and the reason is reported.
 */
import { SkeinError } from '@skein/api/errors';
import { isChunk, isFile, joinChunks, readChunk, wireBytes } from '../bundle/files.ts';
import type { BundleFile, Manifest } from '../bundle/manifest.ts';
import { followRecipe } from '../delta/recipe.ts';
import type { Bytes, Source } from '../trust/source.ts';
import type { Storage } from './storage.ts';

/** Folder of the chunks of the version that is downloaded now. */
export const INCOMING = 'incoming';

export interface Fetched {
  /** Bytes that were downloaded for the files of the version. */
  readonly bytes: number;
  /** `none`: the installed version has the same model. */
  readonly model: 'none' | 'delta' | 'whole';
  /** Why the model was not downloaded as a delta. */
  readonly reason?: string;
}

/** The installed model. */
export interface Parent {
  readonly version: number;
  readonly sha256: string;
  readonly model: Bytes;
}

export interface Download {
  /** Bytes that were read from the source. */
  readonly bytes: number;
  /** @throws SkeinError EDGE_UNTRUSTED, EDGE_UNREACHABLE, STORAGE_FULL. */
  file(path: string, file: BundleFile): Promise<Bytes>;
}

export function openDownload(storage: Storage, source: Source): Download {
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    async file(path, file) {
      const chunks: Bytes[] = [];
      for (const chunk of file.chunks) {
        const place = `${INCOMING}/${chunk.sha256}`;
        const kept = await storage.read(place);
        if (kept !== undefined && (await isChunk(kept, chunk))) {
          chunks.push(kept);
          continue;
        }
        const found = await readChunk(source, chunk);
        bytes += found.byteLength;
        await storage.write(place, found);
        chunks.push(found);
      }
      return joinChunks(path, file, chunks);
    },
  };
}

/** @throws SkeinError as `Download.file`. */
export async function fetchModel(
  download: Download,
  file: Manifest['files'][string],
  parent: Parent | undefined,
): Promise<Omit<Fetched, 'bytes'> & { readonly content: Bytes }> {
  if (parent !== undefined && (await isFile(parent.model, file))) {
    return { model: 'none', content: parent.model };
  }
  const found = await byDelta(download, file, parent);
  if (typeof found !== 'string') return { model: 'delta', content: found };
  return { model: 'whole', reason: found, content: await download.file('the model', file) };
}

/** The model, or why it cannot come from the installed one. */
async function byDelta(
  download: Download,
  file: Manifest['files'][string],
  parent: Parent | undefined,
): Promise<Bytes | string> {
  if (parent === undefined) return 'no version is installed';
  const delta = file.deltas?.find(({ from }) => from === parent.sha256);
  if (delta === undefined) return `there is no delta from version ${parent.version}`;
  if (wireBytes([delta]) >= wireBytes([file])) return 'the delta is not smaller than the model';
  try {
    const recipe = await download.file('the delta', delta);
    const content = followRecipe(parent.model, recipe, file.length);
    return (await isFile(content, file))
      ? content
      : 'the delta does not lead to the model that was signed';
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'EDGE_UNTRUSTED') return error.message;
    throw error;
  }
}
