/**
 * Tells what a caller has open, such as a stream of events, that its key has ended: at once when the
 * key is revoked, within half a second when it expires.
 *
 * Every request is authorised when it arrives, which is once for a stream that stays open for days.
 * One timer serves all watchers, and it runs only while one of them has a key that can expire.
 */
import type { SkeinError } from '@skein/api/errors';
import type { HeldKey } from './key-ring.ts';

/** How often expired keys are looked for, in milliseconds. */
const LOOK_MS = 500;

/** Must not throw: the watchers after it have to be told, too. */
export type OnKeyEnd = (error: SkeinError) => void;

interface Watcher {
  readonly onEnd: OnKeyEnd;
}

export interface KeyWatch {
  /** @returns stops watching. Idempotent. */
  watch(key: HeldKey, onEnd: OnKeyEnd): () => void;
  /** Tells the watchers of a key that has been revoked or has expired, each once. */
  look(key: HeldKey): void;
}

/** @param endOf the error of a key that may no longer be used. */
export function watchKeys(endOf: (key: HeldKey) => SkeinError | undefined): KeyWatch {
  const watched = new Map<HeldKey, Set<Watcher>>();
  let timer: NodeJS.Timeout | undefined;

  function look(key: HeldKey): void {
    const watchers = watched.get(key);
    const error = watchers === undefined ? undefined : endOf(key);
    if (watchers === undefined || error === undefined) return;
    watched.delete(key);
    settle();
    // A watcher that is told may stop another one, which then is not told.
    for (const watcher of watchers) watcher.onEnd(error);
  }

  function settle(): void {
    const needed = [...watched.keys()].some(({ expiresAt }) => expiresAt < Infinity);
    if (needed) {
      timer ??= setInterval(() => {
        for (const key of watched.keys()) look(key);
      }, LOOK_MS).unref();
    } else {
      clearInterval(timer);
      timer = undefined;
    }
  }

  return {
    look,

    watch(key, onEnd) {
      const watcher = { onEnd };
      let watchers = watched.get(key);
      if (watchers === undefined) {
        watched.set(key, (watchers = new Set()));
        settle();
      }
      watchers.add(watcher);
      // It may have ended between its check and now; the caller first gets what this returns.
      if (endOf(key) !== undefined) queueMicrotask(() => look(key));
      const own = watchers;
      return () => {
        own.delete(watcher);
        // They may have been told, and others may watch the key since.
        if (own.size > 0 || watched.get(key) !== own) return;
        watched.delete(key);
        settle();
      };
    },
  };
}
