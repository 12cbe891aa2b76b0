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
import { setTimeout as delay } from 'node:timers/promises';
import { SkeinError } from '@skein/api/errors';
import { isReply, PATIENCE_MS, reconnectAfter, type Connection } from './server/connection.ts';

/** The longest wait for the disk, in milliseconds; a disk that is busier counts as away. */
const DISK_MS = 5000;

/** `maybe`: its settings cannot be read, as on many managed servers; a wait shows it. */
type Syncs = 'yes' | 'no' | 'maybe';

/** @param write a write of its own to the server, whatever it is. */
export function waitsForDisk<Name extends string>(
  connection: Connection<Name>,
  write: (redis: ReturnType<Connection<Name>['another']>) => Promise<unknown>,
): () => Promise<void> {
  const redis = connection.another();
  /** Unknown after the server was away, since it may have been changed. */
  let syncs: Syncs | undefined;
  redis.on('close', () => {
    syncs = undefined;
  });

  async function serverSyncs(): Promise<Syncs> {
    try {
      const settings = await redis.config('GET', 'append*');
      const of = (name: string) => settings[settings.indexOf(name) + 1];
      return of('appendonly') === 'yes' && of('appendfsync') !== 'no' ? 'yes' : 'no';
    } catch (error) {
      if (isReply(error)) return 'maybe';
      throw error;
    }
  }

  /** @returns whether the server has confirmed it, or has nothing to confirm. */
  async function confirmed(): Promise<boolean> {
    syncs ??= await serverSyncs();
    if (syncs === 'no') return true;
    const written = write(redis);
    const [, answer] = await Promise.allSettled([written, redis.call('WAITAOF', 1, 0, DISK_MS)]);
    await written;
    if (answer.status === 'fulfilled') {
      if ((answer.value as [number, number])[0] >= 1) return true;
      if (syncs === 'yes') return false;
    } else if (!/^ERR (unknown command|WAITAOF)/.test((answer.reason as Error).message)) {
      throw answer.reason;
    }
    syncs = 'no';
    return true;
  }

  async function wait(): Promise<void> {
    const until = Date.now() + PATIENCE_MS;
    for (let tries = 1; ; tries += 1) {
      try {
        if (await confirmed()) return;
        throw unconfirmed();
      } catch (error) {
        if (error instanceof SkeinError) throw error;
        if (isReply(error) || Date.now() >= until) throw unconfirmed({ cause: error });
        await delay(reconnectAfter(tries));
      }
    }
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
