/** The trusted files of a device, as one file: all of them are replaced, or none. */
import { utf8 } from '@skein/api/canonical';
import { z } from 'zod';
import type { TrustState } from '../trust/refresh.ts';
import type { Bytes } from '../trust/source.ts';
import { readValue, writeValue, type Storage } from './storage.ts';

const PATH = 'trust.json';
const TrustFile = z.object({
  root: z.string(),
  timestamp: z.string().optional(),
  snapshot: z.string().optional(),
  targets: z.string().optional(),
});

/** @returns undefined if there is none, or a damaged one: then the pinned root counts. */
export async function readTrust(storage: Storage): Promise<TrustState | undefined> {
  const parsed = TrustFile.safeParse(await readValue(storage, PATH));
  if (!parsed.success) return undefined;
  const { root, ...files } = parsed.data;
  const bytesOf = (text: string | undefined): Bytes | undefined =>
    text === undefined ? undefined : utf8(text);
  return {
    root: utf8(root),
    timestamp: bytesOf(files.timestamp),
    snapshot: bytesOf(files.snapshot),
    targets: bytesOf(files.targets),
  };
}

export function saveTrust(storage: Storage, state: TrustState): Promise<void> {
  const decoder = new TextDecoder();
  const texts = Object.entries(state).flatMap(([role, bytes]: [string, Bytes | undefined]) =>
    bytes === undefined ? [] : [[role, decoder.decode(bytes)] as const],
  );
  return writeValue(storage, PATH, Object.fromEntries(texts));
}
