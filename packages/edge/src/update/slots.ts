/** The two places of a device for a version: its files as they are run, and its manifest. */
import { sha256 } from '@skein/api/canonical';
import { isChunk, isFile, joinChunks, readChunk } from '../bundle/files.ts';
import { parseGolden, type GoldenVectors } from '../bundle/golden.ts';
import {
  parseManifest,
  variantFor,
  type Backend,
  type FoundManifest,
  type Manifest,
  type Variant,
} from '../bundle/manifest.ts';
import type { Bytes, Source } from '../trust/source.ts';
import type { Installed, Slot } from './state.ts';
import type { Storage } from './storage.ts';

/** Chunks of the version that is downloaded now. */
const INCOMING = 'incoming';

export interface LoadedVersion {
  readonly manifest: Manifest;
  /** SHA-256 of the manifest. */
  readonly digest: string;
  readonly variant: Variant;
  readonly model: Bytes;
  readonly golden: GoldenVectors;
}

/**
 * A version as it was installed.
 * @returns undefined if a byte of it is not the one that was signed, or is missing.
 */
export async function loadSlot(
  storage: Storage,
  { slot, digest }: Installed,
  backend: Backend,
): Promise<LoadedVersion | undefined> {
  const bytes = await storage.read(`${slot}/manifest.json`);
  if (bytes === undefined || (await sha256(bytes)) !== digest) return undefined;
  const manifest = parseManifest(bytes);
  const variant = variantFor(manifest, backend);
  const read = async (path: string): Promise<Bytes | undefined> => {
    const content = await storage.read(`${slot}/${path}`);
    return content !== undefined && (await isFile(content, manifest.files[path]!))
      ? content
      : undefined;
  };
  const model = await read(variant.model);
  const golden = await read(variant.golden);
  if (model === undefined || golden === undefined) return undefined;
  return { manifest, digest, variant, model, golden: parseGolden(golden) };
}

/**
 * Downloads the chunks that are missing, and puts the files of one variant together in a slot.
 * @throws SkeinError EDGE_UNTRUSTED, EDGE_UNREACHABLE, STORAGE_FULL.
 */
export async function fillSlot(
  storage: Storage,
  source: Source,
  slot: Slot,
  { manifest, bytes }: FoundManifest,
  backend: Backend,
): Promise<void> {
  const variant = variantFor(manifest, backend);
  await storage.remove(slot);
  for (const path of [variant.model, variant.golden]) {
    const file = manifest.files[path]!;
    const chunks: Bytes[] = [];
    for (const chunk of file.chunks) {
      const place = `${INCOMING}/${chunk.sha256}`;
      const kept = await storage.read(place);
      if (kept !== undefined && (await isChunk(kept, chunk))) {
        chunks.push(kept);
        continue;
      }
      const found = await readChunk(source, chunk);
      await storage.write(place, found);
      chunks.push(found);
    }
    await storage.write(`${slot}/${path}`, await joinChunks(path, file, chunks));
  }
  await storage.write(`${slot}/manifest.json`, bytes);
}

export function dropIncoming(storage: Storage): Promise<void> {
  return storage.remove(INCOMING);
}
