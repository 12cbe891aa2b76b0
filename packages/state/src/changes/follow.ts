import { SkeinError } from '@skein/api/errors';
import type { Arrivals } from './arrivals.ts';
import type { ChangeStore, StateChange } from './changes.ts';

/** Changes that one read brings. */
const PAGE = 500;

/**
 * The changes after a position, as they happen. While the store is unreachable it waits, and
 * continues at its position.
 * @throws SkeinError CHANGES_TRIMMED, STORE_REPLACED, NODE_DRAINING once the store is closed.
 */
export async function* followChanges(
  store: ChangeStore,
  arrivals: Arrivals,
  after: string,
  signal: AbortSignal,
): AsyncGenerator<StateChange[]> {
  let cursor = after;
  // A store that is silent answers a read only after its caller has given up.
  const ended = new Promise<StateChange[]>((resolve) => {
    if (signal.aborted) resolve([]);
    else signal.addEventListener('abort', () => resolve([]), { once: true });
  });
  while (!signal.aborted) {
    const more = arrivals.next(signal);
    const reading = store.changesAfter(cursor, PAGE).catch(emptyWhileAway);
    const page = await Promise.race([reading, ended]);
    const last = page.at(-1);
    if (last === undefined) {
      await more;
      continue;
    }
    yield page;
    cursor = last.cursor;
  }
}

function emptyWhileAway(error: unknown): StateChange[] {
  if (error instanceof SkeinError && error.code === 'STORE_UNREACHABLE') return [];
  throw error;
}
