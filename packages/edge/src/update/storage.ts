/**
 * Where a device keeps what it has installed: a folder on a disk, or the origin's private files of a page.
 *
 * An update relies on one promise: after `write` the file has the new content, and before, or after a power cut, all of
 * the old one. There is never half a file.
 */
import { readJson, readJsonOr } from '@skein/api/foreign-json';
import { utf8 } from '@skein/api/canonical';
import type { Bytes } from '../trust/source.ts';

export interface Storage {
  /** @returns undefined if there is no such file. */
  read(path: string): Promise<Bytes | undefined>;
  /** Replaces a file, and makes its folders. @throws SkeinError STORAGE_FULL. */
  write(path: string, bytes: Bytes): Promise<void>;
  /** Removes a file, or a folder with all that is in it. Succeeds too where there is none. */
  remove(path: string): Promise<void>;
}

const BOUNDS = { bytes: 32 * 2 ** 20, depth: 8, values: 100_000, members: 1000 };

/** @returns undefined for a file that is missing or damaged. */
export async function readValue(storage: Storage, path: string): Promise<unknown> {
  const bytes = await storage.read(path);
  return bytes && readJsonOr(bytes, BOUNDS, undefined);
}

export function writeValue(storage: Storage, path: string, value: unknown): Promise<void> {
  const bytes = utf8(JSON.stringify(value));
  readJson(bytes, BOUNDS);
  return storage.write(path, bytes);
}
