/** The two places of a device for a version: its files as they are run, and its manifest. */
import { sha256 } from '@skein/api/canonical';
import { isFile } from '../bundle/files.ts';
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
import { fetchModel, INCOMING, openDownload, type Fetched, type Parent } from './download.ts';
import type { Installed, Slot } from './state.ts';
import type { Storage } from './storage.ts';

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
 * Downloads what is missing of one variant, and puts its files in a slot.
 * @param parent the version that is installed: its model need not be downloaded again, or only as a delta.
 * @throws SkeinError EDGE_UNTRUSTED, EDGE_UNREACHABLE, STORAGE_FULL.
 */
export async function fillSlot(
  storage: Storage,
  source: Source,
  slot: Slot,
  { manifest, bytes }: FoundManifest,
  { backend, parent }: { readonly backend: Backend; readonly parent: LoadedVersion | undefined },
): Promise<Fetched> {
  const { model, golden } = variantFor(manifest, backend);
  await storage.remove(slot);
  const download = openDownload(storage, source);
  const { content, ...from } = await fetchModel(
    download,
    manifest.files[model]!,
    parent && parentOf(parent),
  );
  await storage.write(`${slot}/${model}`, content);
  await storage.write(`${slot}/${golden}`, await download.file(golden, manifest.files[golden]!));
  await storage.write(`${slot}/manifest.json`, bytes);
  return { ...from, bytes: download.bytes };
}

function parentOf({ manifest, variant, model }: LoadedVersion): Parent {
  const { sha256 } = manifest.files[variant.model]!;
  return { version: manifest.version, sha256, model };
}

export function dropIncoming(storage: Storage): Promise<void> {
  return storage.remove(INCOMING);
}
