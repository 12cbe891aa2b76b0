/**
 * How a device finds out what its publisher has published last: the client workflow of TUF 1.0 (section 5.3 to 5.6).
 *
 * A device holds one `TrustState`, and its first root comes with the application. Each new file is checked against files
 * that are trusted already. The state is replaced twice at most, each time by one that has passed all of its checks:
 * when new roots have been accepted, and when timestamp, snapshot and targets agree. An update that is refused halfway
 * leaves the state as it was. Clients that stored a timestamp before they had checked its snapshot could be frozen
 * (CVE-2025-2888).
 *
 * Clocks are hostile. A device's clock counts only above the newest `signed_at` in files that it trusts: set back, it
 * accepts no expired file that is older. Set forward, it stops updates until it is right, and changes no state.
 */
import { sha256 } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { checkKeyIds, hasRotated, requireSigned } from './keys.ts';
import {
  MOST_BYTES,
  parseMetadata,
  untrusted,
  type Metadata,
  type MetaFile,
  type Role,
  type Signed,
  type TargetFile,
} from './metadata.ts';
import type { Bytes, Source } from './source.ts';

/** The files that a device trusts. */
export interface TrustState {
  readonly root: Bytes;
  readonly timestamp?: Bytes | undefined;
  readonly snapshot?: Bytes | undefined;
  readonly targets?: Bytes | undefined;
}

export interface RefreshOptions {
  /** The root that the application brings. */
  readonly pinnedRoot: Bytes;
  /** The state that `save` received last. A state that does not verify counts as absent. */
  readonly stored?: TrustState | undefined;
  readonly source: Source;
  /** The clock of the device, in milliseconds. */
  readonly now: number;
  /** Replaces the stored state as a whole. */
  readonly save: (state: TrustState) => Promise<void>;
}

export interface Refreshed {
  readonly targets: ReadonlyMap<string, TargetFile>;
  readonly root: Signed<'root'>;
  /** Versions of the four files. */
  readonly versions: Readonly<Record<Role, number>>;
  /** The earliest time at which one of the files expires, and updates stop. */
  readonly expires: string;
  /** Whether the clock of the device was before the newest signed time. */
  readonly clockBehind: boolean;
}

/** A publisher that has rotated more often since a device was last here starts from a new pinned root. */
const MOST_ROTATIONS = 256;

/** @throws SkeinError EDGE_UNTRUSTED, EDGE_EXPIRED, EDGE_UNREACHABLE. */
export async function refresh(options: RefreshOptions): Promise<Refreshed> {
  const { source, save, now } = options;
  const first = await knownRoot(options);
  const { root, rotated } = await newestRoot(source, first);
  const before = rotated ? undefined : await restored(root, options.stored);
  if (root !== first) await save(stateOf(root, before));

  const clock = createClock(now);
  for (const file of [root, before?.timestamp, before?.snapshot, before?.targets]) {
    if (file !== undefined) clock.see(file);
  }
  clock.requireFresh(root);

  const timestamp = await newestTimestamp(source, root, before, clock);
  const known = timestamp === before?.timestamp ? before : undefined;
  const { meta } = timestamp.signed;
  const snapshot =
    known?.snapshot ?? (await fetched(source, root, 'snapshot', meta['snapshot.json'], clock));
  requireNoRollback(before?.snapshot, snapshot);
  const targets =
    known?.targets ??
    (await fetched(source, root, 'targets', snapshot.signed.meta['targets.json'], clock));
  for (const file of [timestamp, snapshot, targets]) clock.requireFresh(file);
  const files = { timestamp, snapshot, targets };
  if (targets !== before?.targets) await save(stateOf(root, files));
  return refreshed(root, files, clock);
}

interface Files {
  readonly timestamp: Metadata<'timestamp'>;
  readonly snapshot: Metadata<'snapshot'>;
  readonly targets: Metadata<'targets'>;
}

/** Files of earlier, with the targets unless their keys were replaced. */
type Earlier = Omit<Files, 'targets'> & { readonly targets: Files['targets'] | undefined };

function stateOf(root: Metadata<'root'>, files: Earlier | undefined): TrustState {
  const { timestamp, snapshot, targets } = files ?? {};
  return {
    root: root.bytes,
    timestamp: timestamp?.bytes,
    snapshot: snapshot?.bytes,
    targets: targets?.bytes,
  };
}

/** The stored root where it verifies and is newer than the pinned one. */
async function knownRoot({ pinnedRoot, stored }: RefreshOptions): Promise<Metadata<'root'>> {
  const pinned = await ownRoot(pinnedRoot);
  const root = stored && (await ownRoot(stored.root).catch(() => undefined));
  return root !== undefined && root.signed.version > pinned.signed.version ? root : pinned;
}

/** The stored files that the root still vouches for. */
async function restored(
  root: Metadata<'root'>,
  stored: TrustState | undefined,
): Promise<Earlier | undefined> {
  const verified = async <R extends Role>(
    role: R,
    bytes: Bytes | undefined,
  ): Promise<Metadata<R> | undefined> => {
    if (bytes === undefined) return undefined;
    try {
      const metadata = parseMetadata(role, bytes);
      await requireSigned(root.signed, metadata);
      return metadata;
    } catch {
      return undefined;
    }
  };
  const timestamp = await verified('timestamp', stored?.timestamp);
  const snapshot = await verified('snapshot', stored?.snapshot);
  if (timestamp === undefined || snapshot === undefined) return undefined;
  return { timestamp, snapshot, targets: await verified('targets', stored?.targets) };
}

/** A root that is signed by its own keys. */
async function ownRoot(bytes: Bytes): Promise<Metadata<'root'>> {
  const root = parseMetadata('root', bytes);
  await checkKeyIds(root.signed);
  await requireSigned(root.signed, root);
  return root;
}

/** Follows roots one by one; each is signed by the keys of the one before it, and by its own. */
async function newestRoot(
  source: Source,
  first: Metadata<'root'>,
): Promise<{ readonly root: Metadata<'root'>; readonly rotated: boolean }> {
  let root = first;
  let rotated = false;
  for (let count = 0; ; count++) {
    const version = root.signed.version + 1;
    const bytes = await source.read(`${version}.root.json`, MOST_BYTES.root);
    if (bytes === undefined) return { root, rotated };
    if (count === MOST_ROTATIONS)
      throw untrusted(`There are more than ${MOST_ROTATIONS} new roots.`);
    const next = await ownRoot(bytes);
    await requireSigned(root.signed, next);
    requireVersion(next, version);
    rotated ||=
      hasRotated(root.signed, next.signed, 'timestamp') ||
      hasRotated(root.signed, next.signed, 'snapshot');
    root = next;
  }
}

async function newestTimestamp(
  source: Source,
  root: Metadata<'root'>,
  before: Earlier | undefined,
  clock: Clock,
): Promise<Metadata<'timestamp'>> {
  const found = parseMetadata(
    'timestamp',
    await required(source, 'timestamp.json', MOST_BYTES.timestamp),
  );
  await requireSigned(root.signed, found);
  if (before !== undefined) {
    const old = before.timestamp.signed;
    requireNotBelow('timestamp.json', found.signed.version, old.version);
    if (found.signed.version === old.version) return before.timestamp;
    const [oldSnapshot, snapshot] = [old, found.signed].map(
      ({ meta }) => meta['snapshot.json'].version,
    );
    requireNotBelow('snapshot.json', snapshot!, oldSnapshot!);
  }
  clock.see(found);
  clock.requireFresh(found);
  return found;
}

async function fetched<R extends 'snapshot' | 'targets'>(
  source: Source,
  root: Metadata<'root'>,
  role: R,
  file: MetaFile,
  clock: Clock,
): Promise<Metadata<R>> {
  const path = `${file.version}.${role}.json`;
  const bytes = await required(source, path, Math.min(file.length ?? Infinity, MOST_BYTES[role]));
  if (file.length !== undefined && bytes.byteLength !== file.length) {
    throw untrusted(`${path} has ${bytes.byteLength} bytes instead of ${file.length}.`);
  }
  if (file.hashes !== undefined && (await sha256(bytes)) !== file.hashes.sha256) {
    throw untrusted(`${path} does not have the digest that was signed.`);
  }
  const metadata = parseMetadata(role, bytes);
  await requireSigned(root.signed, metadata);
  requireVersion(metadata, file.version);
  clock.see(metadata);
  return metadata;
}

async function required(source: Source, path: string, maxBytes: number): Promise<Bytes> {
  const bytes = await source.read(path, maxBytes);
  if (bytes === undefined) throw untrusted(`${source.place} has no ${path}.`);
  return bytes;
}

function requireVersion({ role, signed }: Metadata, version: number): void {
  if (signed.version !== version) {
    throw untrusted(`${role}.json has the version ${signed.version} instead of ${version}.`);
  }
}

function requireNotBelow(file: string, version: number, known: number): void {
  if (version < known) {
    throw untrusted(`${file} goes back from version ${known} to ${version}.`);
  }
}

/** No file of the old snapshot may be missing in the new one, or be older there. */
function requireNoRollback(
  old: Metadata<'snapshot'> | undefined,
  found: Metadata<'snapshot'>,
): void {
  for (const [file, { version }] of Object.entries(old?.signed.meta ?? {})) {
    const now = found.signed.meta[file];
    if (now === undefined) throw untrusted(`snapshot.json no longer has ${file}.`);
    requireNotBelow(file, now.version, version);
  }
}

interface Clock {
  readonly isBehind: boolean;
  /** Raises the floor to the signed time of a file whose signatures were checked. */
  see(file: Metadata): void;
  /** @throws SkeinError EDGE_EXPIRED. */
  requireFresh(file: Metadata): void;
}

function createClock(now: number): Clock {
  let floor = -Infinity;
  return {
    get isBehind() {
      return now < floor;
    },
    see({ signed }) {
      if (signed.signed_at !== undefined) floor = Math.max(floor, Date.parse(signed.signed_at));
    },
    requireFresh({ role, signed }) {
      if (Math.max(now, floor) < Date.parse(signed.expires)) return;
      const time = now < floor ? 'by the newest signed time' : 'by the clock of this device';
      throw new SkeinError(
        'EDGE_EXPIRED',
        `${role}.json version ${signed.version} has expired at ${signed.expires}, ${time}.`,
      );
    },
  };
}

function refreshed(root: Metadata<'root'>, files: Files, clock: Clock): Refreshed {
  const all = { root, ...files };
  const versions = Object.fromEntries(
    Object.entries(all).map(([role, { signed }]) => [role, signed.version]),
  ) as Record<Role, number>;
  return {
    targets: new Map(Object.entries(files.targets.signed.targets)),
    root: root.signed,
    versions,
    expires: Object.values(all)
      .map(({ signed }) => signed.expires)
      .toSorted()[0]!,
    clockBehind: clock.isBehind,
  };
}
