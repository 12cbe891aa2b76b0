/**
 * Notifies the open streams of a caller that its key has ended: at once when the key is revoked,
 * within half a second when it expires.
 *
 * A request is authorised once, when it arrives, but a stream stays open for days. One timer serves
 * all watchers and runs only while one of them has a key that can expire.
 */
import type { SkeinError } from '@skein/api/errors';
import type { HeldKey } from './key-ring.ts';

/** Interval between checks for expired keys, in milliseconds. */
const LOOK_MS = 500;

/** Must not throw: the remaining watchers must be called, too. */
export type OnKeyEnd = (error: SkeinError) => void;

interface Watcher {
  readonly onEnd: OnKeyEnd;
}

export interface KeyWatch {
  /** @returns stops watching. Idempotent. */
  watch(key: HeldKey, onEnd: OnKeyEnd): () => void;
  /** Calls the watchers of a key that was revoked or has expired, each once. */
  look(key: HeldKey): void;
}

/** @param endOf returns the error of a key that may not be used any more. */
export function watchKeys(endOf: (key: HeldKey) => SkeinError | undefined): KeyWatch {
  const watched = new Map<HeldKey, Set<Watcher>>();
  let timer: NodeJS.Timeout | undefined;

  function look(key: HeldKey): void {
    const watchers = watched.get(key);
    const error = watchers === undefined ? undefined : endOf(key);
    if (watchers === undefined || error === undefined) return;
    watched.delete(key);
    settle();
    // A watcher may remove another one, which is then not called.
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
      // The key may have ended since it was checked; call back only after this function has
      // returned.
      if (endOf(key) !== undefined) queueMicrotask(() => look(key));
      const own = watchers;
      return () => {
        own.delete(watcher);
        // The watchers may have been called by then, and new ones added.
        if (own.size > 0 || watched.get(key) !== own) return;
        watched.delete(key);
        settle();
      };
    },
  };
}
