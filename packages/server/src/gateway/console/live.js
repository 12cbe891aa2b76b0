/** Keeps a view fresh without asking more often than it helps anybody. */
import { follow } from './feed.js';

/**
 * Loads at once, when poked, and every `everyMs`; never twice at a time, never in a tab that nobody
 * sees, and after a load that took long not before ten times as long has passed.
 * @returns what pokes it.
 */
export function keepFresh(load, { everyMs, gapMs = 1000, signal, failed }) {
  let timer;
  let busy = false;
  let wanted = false;

  async function run() {
    if (signal.aborted || busy) return;
    clearTimeout(timer);
    if (document.hidden) {
      wanted = true;
      return;
    }
    busy = true;
    wanted = false;
    const begun = performance.now();
    try {
      await load();
      if (!signal.aborted) failed(null);
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
    const rest = Math.max(gapMs, 10 * (performance.now() - begun));
    timer = setTimeout(() => {
      busy = false;
      if (wanted) void run();
      else timer = setTimeout(run, Math.max(everyMs - rest, 0));
    }, rest);
  }

  document.addEventListener('visibilitychange', () => wanted && void run(), { signal });
  signal.addEventListener('abort', () => clearTimeout(timer));
  void run();
  return () => {
    wanted = true;
    void run();
  };
}

/**
 * Calls with each job event that fits the query, while somebody sees the tab: a browser keeps few
 * connections to a node, and a tab in the back should hold none. A key that may not listen is no
 * fault; the view then lives on what it loads.
 */
export async function whileSeen(query, event, signal) {
  const path = `/api/v1/job-events?${new URLSearchParams(query)}`;
  while (!signal.aborted) {
    if (!document.hidden) {
      const pause = new AbortController();
      const hidden = () => document.hidden && pause.abort();
      const both = AbortSignal.any([signal, pause.signal]);
      document.addEventListener('visibilitychange', hidden, { signal: both });
      const listen = {
        state: (state) => state === 'live' && event(undefined),
        event: (_, data) => event(data),
        locked: () => new Promise((resolve) => both.addEventListener('abort', resolve)),
      };
      await follow(path, listen, both);
    }
    if (document.hidden) {
      await new Promise((resolve) => {
        document.addEventListener('visibilitychange', resolve, { once: true });
        signal.addEventListener('abort', resolve, { once: true });
      });
    }
  }
}
