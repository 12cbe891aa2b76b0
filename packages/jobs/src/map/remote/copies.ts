/**
 * Local copies of remote files, with the bytes that jobs have needed so far: a copy has the size of its
 * file, and holes where bytes were not fetched. Its key is the address, the identity and the size, so
 * that another version is another copy. Copies that no job uses are removed, the oldest first, where
 * they take more than their bound or where the disk is full.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import type { RemoteAccess, RemoteFile } from '@skein/data/data-set';
import { createDiskSpace } from '@skein/state';
import { fetchRange, openSource, type ByteRange, type Source } from '@skein/state/sources';
import { bytesOf, joined, missing } from './ranges.ts';

/** Bytes of copies that wait for another job. */
const MOST_WAITING_BYTES = 10 * 2 ** 30;
/** Requests of one file that are open at once. */
const AT_ONCE = 4;

export interface RemoteCopy {
  readonly path: string;
  readonly sizeBytes: number;
  /**
   * Fetches what is not here.
   * @param onBytes receives how many more bytes are here.
   * @throws SkeinError SOURCE_…, STORAGE_FULL.
   */
  need(ranges: readonly ByteRange[], onBytes?: (bytes: number) => void): Promise<void>;
  /** Bytes that are here. */
  hereBytes(): number;
}

export interface Copies {
  /** @param owner a tenant: copies are not shared. @param signal ends the use of the copy with its job. */
  use(
    owner: string,
    file: RemoteFile,
    access: RemoteAccess,
    signal: AbortSignal,
  ): Promise<RemoteCopy & { readonly release: () => Promise<void> }>;
}

export interface CopiesOptions {
  /** Made with the first copy, and removed by the caller. */
  readonly folder: string;
  readonly maxBytes?: number | undefined;
  readonly keptFreeBytes?: number | undefined;
  readonly silenceMs?: number | undefined;
}

interface Entry {
  readonly folder: string;
  readonly path: string;
  present: ByteRange[];
  /** Bytes that are here or are being fetched. */
  bytes: number;
  users: number;
  /** The last fetch, which the next one follows. */
  busy: Promise<void>;
  isBroken: boolean;
}

export function openCopies(options: CopiesOptions): Copies {
  const { folder, maxBytes = MOST_WAITING_BYTES, keptFreeBytes, silenceMs } = options;
  /** Ordered by last use, oldest first. */
  const entries = new Map<string, Entry>();
  const space = createDiskSpace({ folder, keptFreeBytes });

  async function evict(isEnough: () => boolean): Promise<void> {
    for (const [key, entry] of entries) {
      if (isEnough()) return;
      if (entry.users === 0) await remove(key, entry);
    }
  }
  async function remove(key: string, entry: Entry): Promise<void> {
    entries.delete(key);
    await rm(entry.folder, { recursive: true, force: true });
  }
  const isWithin = (): boolean =>
    [...entries.values()].reduce((sum, { bytes }) => sum + bytes, 0) <= maxBytes;

  async function take(bytes: number): Promise<void> {
    await space.take(bytes).catch(async () => {
      await evict(() => false);
      await space.take(bytes);
    });
  }

  async function fetchMissing(
    entry: Entry,
    source: Source,
    file: RemoteFile,
    wanted: readonly ByteRange[],
    onBytes: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const ranges = missing(wanted, entry.present);
    if (ranges.length === 0) return;
    const target = await open(entry.path, 'r+');
    const write = async (at: number, bytes: Uint8Array): Promise<void> => {
      await target.write(bytes, 0, bytes.byteLength, at);
      onBytes(bytes.byteLength);
    };
    const receive = async (range: ByteRange): Promise<void> => {
      // A server without ranges has sent all of the file for another range.
      if (missing([range], entry.present).length === 0) return;
      const received = await fetchRange(source, file, range, write, signal);
      entry.present = joined([...entry.present, received]);
    };
    try {
      await take(bytesOf(ranges));
      entry.bytes += bytesOf(ranges);
      await evict(isWithin);
      // The first answer shows whether the server sends ranges, where it is not for the beginning.
      const isFirst = entry.present.length === 0;
      if (isFirst) await receive(ranges.at(-1)!);
      await inParallel(isFirst ? ranges.slice(0, -1) : ranges, AT_ONCE, receive);
      entry.bytes = Math.max(entry.bytes, bytesOf(entry.present));
    } catch (error) {
      entry.isBroken = true;
      if ((error as { code?: string }).code !== 'ENOSPC') throw error;
      throw new SkeinError('STORAGE_FULL', `The disk under ${folder} is full.`, { cause: error });
    } finally {
      await target.close();
    }
  }

  async function entryOf(key: string, { address, sizeBytes }: RemoteFile): Promise<Entry> {
    const known = entries.get(key);
    if (known !== undefined) {
      entries.delete(key);
      entries.set(key, known);
      return known;
    }
    const own = join(folder, key);
    const path = join(own, ...namesIn(address));
    const made = { present: [], bytes: 0, users: 0, busy: Promise.resolve(), isBroken: false };
    const entry: Entry = { folder: own, path, ...made };
    entries.set(key, entry);
    entry.busy = (async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(path, '', { mode: 0o600 });
      await truncate(path, sizeBytes);
    })();
    return entry;
  }

  return {
    async use(owner, file, access, signal) {
      const { address, sizeBytes, identity } = file;
      const { allowPrivate, tokenEnv } = access;
      const key = createHash('sha256')
        .update(JSON.stringify([owner, address, sizeBytes, identity, access]))
        .digest('hex')
        .slice(0, 32);
      const entry = await entryOf(key, file);
      entry.users++;
      try {
        await entry.busy;
        const from = { env: process.env, allowPrivate, tokenEnv, signal, silenceMs };
        const source = await openSource(address, from);
        return {
          path: entry.path,
          sizeBytes,
          hereBytes: () => bytesOf(entry.present),
          need(ranges, onBytes = () => undefined) {
            const next = entry.busy.then(() =>
              fetchMissing(entry, source, file, ranges, onBytes, signal),
            );
            entry.busy = next.catch(() => undefined);
            return next;
          },
          release: () => release(key, entry),
        };
      } catch (error) {
        await release(key, entry);
        throw error;
      }
    },
  };

  async function release(key: string, entry: Entry): Promise<void> {
    await entry.busy.catch(() => (entry.isBroken = true));
    if (--entry.users > 0) return;
    if (entry.isBroken && entries.get(key) === entry) await remove(key, entry);
    else await evict(isWithin);
  }
}

/** Folders such as year=2026, which are columns, and a name that ends as the address does. */
function namesIn(address: string): string[] {
  const names = decoded(new URL(address).pathname).split('/');
  const [ending = ''] = /(\.[a-z0-9]+){1,2}$/i.exec(names.pop() ?? '') ?? [];
  return [...names.filter((name) => /^[^=\0\\]+=[^\0\\]*$/.test(name)), `file${ending}`];
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: Math.min(atOnce, items.length) }, async () => {
      for (const item of left) await work(item);
    }),
  );
}
