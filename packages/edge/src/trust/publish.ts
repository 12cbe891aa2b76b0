/**
 * Publishes: writes targets, snapshot and timestamp in this order, so that a reader finds whole what the timestamp
 * names. Files have their version in their names and are never changed; only `timestamp.json` is replaced.
 */
import { sha256 } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { requireSigned } from './keys.ts';
import {
  MOST_BYTES,
  parseMetadata,
  type Metadata,
  type MetaFile,
  type Role,
  type Signed,
} from './metadata.ts';
import { rootOf, signFile, snapshotOf, targetsOf, timestampOf, type RoleKeys } from './sign.ts';
import type { Bytes, Source } from './source.ts';

/** Where a publisher writes: a folder, or a bucket. A file appears whole or not at all. */
export interface Place extends Source {
  write(path: string, bytes: Bytes): Promise<void>;
}

export async function hasRoot(place: Source): Promise<boolean> {
  return (await place.read('1.root.json', MOST_BYTES.root)) !== undefined;
}

/** Writes the first root. @throws SkeinError EDGE_KEYS if the place has one. */
export async function createRoot(place: Place, keys: RoleKeys, now: number): Promise<Bytes> {
  if (await hasRoot(place)) {
    throw new SkeinError('EDGE_KEYS', `${place.place} has a root already.`);
  }
  const root = await signFile(rootOf(keys, { version: 1, now }), keys.root);
  await place.write('1.root.json', root);
  return root;
}

/** Writes the next root with other keys. It is signed by the keys of root before and after. */
export async function rotateRoot(
  place: Place,
  { before, after, now }: { before: RoleKeys; after: RoleKeys; now: number },
): Promise<Bytes> {
  const old = await lastRoot(place);
  const version = old.signed.version + 1;
  const signers = new Map([...before.root, ...after.root].map((key) => [key.id, key]));
  const root = await signFile(rootOf(after, { version, now }), [...signers.values()]);
  await requireSigned(old.signed, parseMetadata('root', root));
  await place.write(`${version}.root.json`, root);
  return root;
}

/** The newest root of a place. @throws SkeinError EDGE_KEYS if there is none. */
export async function lastRoot(place: Source): Promise<Metadata<'root'>> {
  let last: Bytes | undefined;
  for (let version = 1; ; version++) {
    const next = await place.read(`${version}.root.json`, MOST_BYTES.root);
    if (next === undefined) break;
    last = next;
  }
  if (last === undefined) throw new SkeinError('EDGE_KEYS', `${place.place} has no root.json.`);
  return parseMetadata('root', last);
}

/** The published targets; undefined before the first. */
export async function publishedTargets(place: Source): Promise<Signed<'targets'> | undefined> {
  const files = await published(place);
  return files?.targets.signed;
}

async function published(place: Source): Promise<
  | {
      timestamp: Metadata<'timestamp'>;
      snapshot: Metadata<'snapshot'>;
      targets: Metadata<'targets'>;
    }
  | undefined
> {
  const read = async <R extends Role>(role: R, path: string): Promise<Metadata<R>> => {
    const bytes = await place.read(path, MOST_BYTES[role]);
    if (bytes === undefined)
      throw new SkeinError('EDGE_UNTRUSTED', `${place.place} has no ${path}.`);
    return parseMetadata(role, bytes);
  };
  if ((await place.read('timestamp.json', MOST_BYTES.timestamp)) === undefined) return undefined;
  const timestamp = await read('timestamp', 'timestamp.json');
  const { version } = timestamp.signed.meta['snapshot.json'];
  const snapshot = await read('snapshot', `${version}.snapshot.json`);
  const of = snapshot.signed.meta['targets.json'].version;
  return { timestamp, snapshot, targets: await read('targets', `${of}.targets.json`) };
}

/**
 * Publishes targets in place of those before.
 * @param targets absent: the same ones, with new dates.
 * @throws SkeinError EDGE_UNTRUSTED if the keys are not those that the root names; nothing is written then.
 */
export async function publish(
  place: Place,
  { keys, targets, now }: { keys: RoleKeys; targets?: Signed<'targets'>['targets']; now: number },
): Promise<void> {
  const root = await lastRoot(place);
  const last = await published(place);
  const next = (role: 'targets' | 'snapshot' | 'timestamp') => ({
    version: (last?.[role].signed.version ?? 0) + 1,
    now,
  });
  const files: (readonly [path: string, bytes: Bytes])[] = [];
  const signed = async <R extends Role>(role: R, content: Signed<R>): Promise<MetaFile> => {
    const bytes = await signFile(content, keys[role]);
    await requireSigned(root.signed, parseMetadata(role, bytes));
    const { version } = content;
    files.push([role === 'timestamp' ? 'timestamp.json' : `${version}.${role}.json`, bytes]);
    return { version, length: bytes.byteLength, hashes: { sha256: await sha256(bytes) } };
  };
  const content = targets ?? last?.targets.signed.targets ?? {};
  const targetsFile = await signed('targets', targetsOf(content, next('targets')));
  const snapshotFile = await signed('snapshot', snapshotOf(targetsFile, next('snapshot')));
  await signed('timestamp', timestampOf(snapshotFile, next('timestamp')));
  for (const [path, bytes] of files) await place.write(path, bytes);
}
