/**
 * Waits until Redis has written to its disk what was written before (WAITAOF, Redis 7.2 and later).
 *
 * With `appendfsync everysec` that takes up to a second, so it happens on a connection of its own:
 * other calls pass, and writes that wait at the same time share one wait. That connection makes a
 * write of its own first, because WAITAOF waits for the writes of its connection; the append-only
 * file is in order, so everything before is on the disk too.
 *
 * A Redis without an append-only file, with `appendfsync no`, or before 7.2 does not promise more
 * than that a write survives `kill -9`, and there is nothing to wait for.
 */
import { SkeinError } from '@skein/api/errors';
import type { FunctionName } from './functions.ts';
import type { Connection } from './server/connection.ts';

/** The longest wait for the disk, in milliseconds; a disk that is busier counts as away. */
const DISK_MS = 5000;

export function waitsForDisk(
  connection: Connection<FunctionName>,
  prefix: string,
): () => Promise<void> {
  const redis = connection.another();
  /** Whether the server syncs; unknown after it was away, since it may have been changed. */
  let syncs: Promise<boolean> | undefined;
  redis.on('close', () => {
    syncs = undefined;
  });

  async function serverSyncs(): Promise<boolean> {
    const settings = await redis.config('GET', 'append*').catch(() => undefined);
    // Without the right to read settings, a wait has to tell.
    if (!Array.isArray(settings)) return true;
    const of = (name: string) => settings[settings.indexOf(name) + 1];
    return of('appendonly') === 'yes' && of('appendfsync') !== 'no';
  }

  async function wait(): Promise<void> {
    syncs ??= serverSyncs();
    if (!(await syncs)) return;
    const sync = redis.call('FCALL', connection.nameOf('sync'), 1, prefix, '', '', 0, 0, '');
    const local = redis.call('WAITAOF', 1, 0, DISK_MS);
    try {
      await sync;
      const [synced] = (await local) as [number, number];
      if (synced >= 1) return;
    } catch (cause) {
      // A version before 7.2, or no append-only file.
      if (cause instanceof Error && /^ERR (unknown command|WAITAOF)/.test(cause.message)) {
        syncs = Promise.resolve(false);
        return;
      }
      throw unconfirmed({ cause });
    }
    throw unconfirmed();
  }

  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= running
      .catch(() => undefined)
      .then(() => {
        running = next ?? running;
        next = undefined;
        return wait();
      });
    return next;
  };
}

function unconfirmed(options?: ErrorOptions): SkeinError {
  return new SkeinError(
    'STORE_UNREACHABLE',
    'Redis has the change, and does not confirm that it is on its disk.',
    options,
  );
}
