/**
 * Artifacts as files named by their sha-256, in one flat folder.
 *
 *   put: stream → .incoming-<random> (hashing) → fsync → rename to <digest> → fsync folder
 *
 * A name that is a digest therefore always has all of its bytes, wherever the process was killed.
 * An unfinished file has another name, and the next start removes it. Putting an artifact again
 * replaces its file, which repairs a damaged one.
 *
 * Several processes (a node and its workers) may share a folder: every step is atomic.
 *
 * Links are never followed: a user who can write to the folder must not be able to make the node
 * read or serve a file outside of it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import {
  lstat,
  open,
  readdir,
  rename,
  stat,
  unlink,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '@skein/api/folders';
import { SkeinError } from '@skein/api/errors';
import type { ArtifactStore, ByteRange } from '../contract.ts';
import type { DiskSpace } from '../disk/disk-space.ts';
import { corrupt, unknown, verified as checked } from './verified-stream.ts';

const INCOMING = '.incoming-';
const DIGEST = /^[0-9a-f]{64}$/;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;
/** Windows has no O_NOFOLLOW; there only `lstat` rejects links. */
const NOFOLLOW = O_NOFOLLOW ?? 0;
const CHUNK_BYTES = 256 * 1024;
/** In a shared folder, a file that has not grown for this long belongs to a process that has ended. */
const ABANDONED_MS = 15 * 60_000;
const ABANDONED_CHECK_MS = 5 * 60_000;

export interface FileArtifactsOptions {
  /** Whether other processes write to the folder too. Default: no; the caller holds its lock. */
  readonly shared?: boolean;
  /** Whether it may be on another machine, and so away for a while. Default: no. */
  readonly mayBeAway?: boolean;
  /** Refuses writes into reserved disk space. Default: the whole disk may be used. */
  readonly space?: DiskSpace | undefined;
}

/**
 * Opens the folder, creates it if it is missing, and removes unfinished files of an earlier
 * process.
 * @throws SkeinError DATA_FOLDER_UNUSABLE.
 */
export async function openFileArtifacts(
  folder: string,
  { shared = false, mayBeAway = false, space }: FileArtifactsOptions = {},
): Promise<ArtifactStore> {
  let whileThere: WhileThere = (act) => act();
  try {
    await makeFolders(folder, 0o700);
    await removeUnfinished(folder, shared ? ABANDONED_MS : 0);
    if (mayBeAway) whileThere = await guardOf(folder);
  } catch (error) {
    throw new SkeinError(
      'DATA_FOLDER_UNUSABLE',
      `The artifact folder ${folder} cannot be used: ${(error as Error).message}.`,
      { cause: error },
    );
  }
  let checkedAt = performance.now();
  /** Writers remove the unfinished files of killed processes. */
  async function lookForAbandoned(): Promise<void> {
    if (!shared || performance.now() - checkedAt < ABANDONED_CHECK_MS) return;
    checkedAt = performance.now();
    await removeUnfinished(folder, ABANDONED_MS).catch(() => undefined);
  }
  /** Digests that this process has verified, with the stamp of the file that it read. */
  const verified = new Map<string, string>();

  async function pathOf(digest: string): Promise<string> {
    const path = pathIn(folder, digest);
    const stamp = await lstat(path, { bigint: true }).then(
      (stats) => (stats.isFile() ? stampOf(stats) : undefined),
      () => undefined,
    );
    if (stamp !== undefined && verified.get(digest) === stamp) return path;
    verified.delete(digest);
    const found = await digestOf(path);
    if (found.digest === undefined) throw corrupt(digest, 'is missing or not a file');
    if (found.digest !== digest) throw corrupt(digest, 'has changed on the disk');
    verified.set(digest, found.stamp);
    return path;
  }

  async function put(content: AsyncIterable<Uint8Array>, maxBytes: number) {
    await lookForAbandoned();
    const incoming = join(folder, INCOMING + randomBytes(12).toString('hex'));
    const file = await open(incoming, O_CREAT | O_EXCL | O_WRONLY | NOFOLLOW, 0o600).catch(
      (error: unknown) => {
        throw full(error, folder);
      },
    );
    try {
      const written = await receive(file, content, maxBytes, space);
      // Readable for the user that a guest runs as, and a program that a job brings along can be
      // started; the mode of the folder keeps other users out.
      await file.chmod(0o555);
      await file.sync();
      await rename(incoming, join(folder, written.digest));
      await syncFolder(folder);
      // The hash was computed over the written bytes; only a later change requires another check.
      verified.set(written.digest, stampOf(await file.stat({ bigint: true })));
      return written;
    } catch (error) {
      await unlink(incoming).catch(() => undefined);
      throw full(error, folder);
    } finally {
      // All of it is on the disk by then, or the error is known.
      await file.close().catch(() => undefined);
    }
  }

  async function* read(digest: string, range?: ByteRange): AsyncGenerator<Uint8Array> {
    if (range !== undefined) {
      yield* chunksOf(await pathOf(digest), digest, range);
      return;
    }
    yield* checked(chunksOf(pathIn(folder, digest), digest), digest);
  }

  return {
    put: (content, maxBytes) => whileThere(() => put(content, maxBytes), true),
    async sizeOf(digest) {
      const path = pathIn(folder, digest);
      return whileThere(async () => {
        const stats = await lstat(path).catch(() => undefined);
        if (!stats?.isFile()) throw unknown(digest);
        return stats.size;
      });
    },

    async *read(digest, range) {
      const chunks = read(digest, range);
      try {
        for (;;) {
          const next = await whileThere(() => chunks.next());
          if (next.done === true) return;
          yield next.value;
        }
      } finally {
        await chunks.return(undefined);
      }
    },

    pathOf: (digest) => whileThere(() => pathOf(digest)),

    async remove(digest) {
      verified.delete(digest);
      const path = pathIn(folder, digest);
      await whileThere(
        () =>
          unlink(path).catch((error: NodeJS.ErrnoException) => {
            if (error.code !== 'ENOENT') throw error;
          }),
        true,
      );
    },

    list: () =>
      whileThere(async () => (await readdir(folder)).filter((name) => DIGEST.test(name)), true),

    close: () => Promise.resolve(),
  };
}

/**
 * Calls an act on the folder.
 * @param first whether to look for the folder before: what is done in the empty place of a mount would be lost with it.
 * @throws SkeinError STORE_UNREACHABLE in place of the act's error where the folder is away, STORE_DENIED where it may
 *   not be written.
 */
type WhileThere = <T>(act: () => Promise<T>, first?: boolean) => Promise<T>;

/** Errors of a network file system whose server is away. */
const AWAY: ReadonlySet<string | undefined> = new Set([
  'EHOSTDOWN',
  'EIO',
  'ENODEV',
  'ENOTCONN',
  'EREMOTEIO',
  'ESTALE',
]);

/** The user of the process may not write there, or the disk is read-only, as one with errors becomes. */
const DENIED: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS']);

async function guardOf(folder: string): Promise<WhileThere> {
  const isMounted = async (): Promise<boolean> =>
    (await stat(folder)).dev !== (await stat(join(folder, '..'))).dev;
  /** Since the start, or later: what was mounted once is away when it is not. */
  let wasMounted = await isMounted();
  const unreachable = (why: string, cause?: unknown): SkeinError =>
    new SkeinError('STORE_UNREACHABLE', `The artifact folder ${folder} is away: ${why}.`, {
      cause,
    });

  async function requireThere(): Promise<void> {
    let isThere: boolean;
    try {
      wasMounted ||= await isMounted();
      isThere = wasMounted ? await isMounted() : (await stat(folder)).isDirectory();
    } catch (error) {
      throw unreachable((error as Error).message, error);
    }
    if (!isThere) throw unreachable(wasMounted ? 'it is not mounted' : 'it is not a folder');
  }

  return async (act, first = false) => {
    if (first) await requireThere();
    try {
      return await act();
    } catch (error) {
      if (AWAY.has((error as NodeJS.ErrnoException).code)) {
        throw unreachable((error as Error).message, error);
      }
      if (DENIED.has((error as NodeJS.ErrnoException).code)) {
        // For example `EROFS: read-only file system`; behind the comma is the path of an unfinished file.
        const [what = ''] = (error as Error).message.split(', ');
        const message = `Access is denied to the artifact folder ${folder}: ${what}.`;
        throw new SkeinError('STORE_DENIED', message, { cause: error });
      }
      // A file that is missing, or an error that the loss of the folder explains.
      if (!(error instanceof SkeinError) || MISSING.has(error.code)) await requireThere();
      throw error;
    }
  };
}

const MISSING: ReadonlySet<string> = new Set(['ARTIFACT_CORRUPT', 'ARTIFACT_UNKNOWN']);

async function removeUnfinished(folder: string, olderThanMs: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(INCOMING));
  if (names.length === 0) return;
  const now = olderThanMs > 0 ? await timeIn(folder) : undefined;
  for (const name of names) {
    const path = join(folder, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats === undefined) continue;
    if (now !== undefined && now - stats.mtimeMs < olderThanMs) continue;
    await unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

/**
 * The time by the clock that dates the files: the server's, where the folder is on a network. Where no file can be
 * made, as on a full disk, the time by the clock of this machine.
 */
async function timeIn(folder: string): Promise<number> {
  const path = join(folder, INCOMING + randomBytes(12).toString('hex'));
  try {
    await writeFile(path, '', { flag: 'wx', mode: 0o600 });
    return (await stat(path)).mtimeMs;
  } catch {
    return Date.now();
  } finally {
    await unlink(path).catch(() => undefined);
  }
}

/** The bytes of the file, unverified. */
async function* chunksOf(
  path: string,
  digest: string,
  range: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER },
): AsyncGenerator<Uint8Array> {
  const file = await open(path, O_RDONLY | NOFOLLOW).catch(() => undefined);
  if (file === undefined) throw corrupt(digest, 'is missing or not a file');
  try {
    if (!(await file.stat()).isFile()) throw corrupt(digest, 'is missing or not a file');
    let position = range.start;
    while (position < range.end) {
      // A new buffer each time: the reader may keep it.
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, range.end - position));
      const { bytesRead } = await file.read(chunk, 0, chunk.byteLength, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function pathIn(folder: string, digest: string): string {
  if (!DIGEST.test(digest)) throw new TypeError(`"${digest}" is not a sha-256 in hex.`);
  return join(folder, digest);
}

async function receive(
  file: FileHandle,
  content: AsyncIterable<Uint8Array>,
  maxBytes: number,
  space: DiskSpace | undefined,
): Promise<{ digest: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const given of content as AsyncIterable<Uint8Array | string>) {
    // The types of Node's streams omit that a stream of text, such as `Readable.from(['hello'])`, gives strings.
    const chunk = typeof given === 'string' ? Buffer.from(given) : given;
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) {
      throw new SkeinError('BODY_TOO_LARGE', `The file is larger than ${maxBytes} bytes.`);
    }
    await space?.take(chunk.byteLength);
    hash.update(chunk);
    for (let offset = 0; offset < chunk.byteLength;) {
      offset += (await file.write(chunk, offset)).bytesWritten;
    }
  }
  return { digest: hash.digest('hex'), sizeBytes };
}

/** Reads the file in chunks, so that a model of gigabytes neither fills the memory nor blocks the thread. */
async function digestOf(path: string): Promise<{ digest: string | undefined; stamp: string }> {
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | NOFOLLOW);
  } catch {
    return { digest: undefined, stamp: '' };
  }
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) return { digest: undefined, stamp: '' };
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(1 << 20);
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.byteLength);
      if (bytesRead === 0) return { digest: hash.digest('hex'), stamp: stampOf(stats) };
      hash.update(chunk.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** Changes when the file is written, replaced or touched. */
function stampOf(stats: { ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

/** Makes a rename durable. Windows cannot open a folder, and does not need it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function full(error: unknown, folder: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  // EFBIG: the file size limit of the process (ulimit -f); EDQUOT: the quota of its user.
  if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EFBIG') return error;
  return new SkeinError('STORAGE_FULL', `The disk under ${folder} is full (${code}).`, {
    cause: error,
  });
}
