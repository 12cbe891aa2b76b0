import { SkeinError } from '@skein/api/errors';
import type { Arrivals } from './arrivals.ts';
import type { ChangeStore, StateChange } from './changes.ts';

/** Changes that one read brings. */
const PAGE = 500;

/**
 * The changes after a position, as they happen. While the store is unreachable it waits, and
 * continues at its position.
 * @throws SkeinError CHANGES_TRIMMED, STORE_REPLACED.
 */
export async function* followChanges(
  store: ChangeStore,
  arrivals: Arrivals,
  after: string,
  signal: AbortSignal,
): AsyncGenerator<StateChange[]> {
  let cursor = after;
  while (!signal.aborted) {
    const more = arrivals.next(signal);
    const page = await store.changesAfter(cursor, PAGE).catch(emptyWhileAway);
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
