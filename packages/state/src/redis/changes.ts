/**
 * The change feed in Redis. Readers read pages with a function, which also checks that their
 * position is one of this store's; a blocking read on a connection of its own only wakes them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createArrivals, type Arrivals } from '../changes/arrivals.ts';
import { cursorOf, readCursor, type ChangeStore, type StateChange } from '../changes/changes.ts';
import { pairsOf, type Calls } from './calls.ts';
import { reconnectAfter, type Connection } from './server/connection.ts';
import type { FunctionName } from './functions.ts';

/** How long one blocking read waits, in milliseconds. */
const BLOCK_MS = 5000;
/** How much later its answer may come before the connection counts as dead, in milliseconds. */
const LATE_MS = 3000;
type Entry = [id: string, fields: string[]];

export function changeCalls({ runOnAnyContents }: Calls): ChangeStore {
  return {
    async position() {
      const [epoch, entry] = (await runOnAnyContents('position')) as [string, string, string];
      return { epoch, cursor: cursorOf({ epoch, entry }) };
    },
    async changesAfter(cursor, limit) {
      const { epoch, entry } = readCursor(cursor);
      const found = await runOnAnyContents('changes-after', epoch, entry, limit);
      return (found as Entry[]).map(([id, flat]): StateChange => {
        const { kind, id: subject, revision, removed } = Object.fromEntries(pairsOf(flat));
        return {
          cursor: cursorOf({ epoch, entry: id }),
          kind: kind as StateChange['kind'],
          id: subject as string,
          ...(revision === undefined ? {} : { revision: Number(revision) }),
          ...(removed === undefined ? {} : { removed: true }),
        };
      });
    },
  };
}

/**
 * Wakes readers when the stream grows; the blocking read begins with the first reader.
 * @param longestMs how long a reader waits before it reads anyway: that a store was emptied or
 *   restored wakes nothing.
 */
export function streamArrivals(
  connection: Connection<FunctionName>,
  key: string,
  longestMs: number,
): Arrivals & { close(): void } {
  const arrivals = createArrivals(longestMs);
  const closing = new AbortController();
  let tailing = false;

  async function tail(): Promise<void> {
    const blocking = connection.another();
    /** The last entry that readers were woken for. */
    let last: string | undefined;
    for (let failures = 0; !closing.signal.aborted;) {
      // A connection that was cut off without a word answers nothing, and would never fail.
      const late = setTimeout(() => blocking.disconnect(true), BLOCK_MS + LATE_MS).unref();
      try {
        if (last !== undefined) {
          await blocking.xread('COUNT', 1, 'BLOCK', BLOCK_MS, 'STREAMS', key, last);
        }
        const [newest] = (await blocking.xrevrange(key, '+', '-', 'COUNT', 1)) as Entry[];
        last = newest?.[0] ?? '0-0';
        failures = 0;
      } catch {
        failures += 1;
        await delay(reconnectAfter(failures), undefined, { ref: false });
      } finally {
        clearTimeout(late);
      }
      // Wake after a failure too: a wake-up without a change is harmless.
      arrivals.wake();
    }
  }

  return {
    next(signal) {
      if (!tailing) void tail();
      tailing = true;
      return arrivals.next(signal);
    },
    wake: () => arrivals.wake(),
    close() {
      closing.abort();
      arrivals.wake();
    },
  };
}
