/** Keeps a view fresh without asking more often than it helps anybody. */
import { follow } from './feed.js';

/**
 * Loads at once, when poked, and every `everyMs`; never twice at a time, never in a tab that nobody
 * sees, and after a load that took long not before three times as long has passed.
 * @returns what pokes it; `true`: a person has done something and wants to see it without a rest.
 */
export function keepFresh(load, { everyMs, gapMs = 1000, signal, failed }) {
  let timer;
  let state = 'idle';
  let wanted = false;

  async function run() {
    if (signal.aborted || state !== 'idle') return;
    clearTimeout(timer);
    wanted = document.hidden;
    if (wanted) return;
    state = 'loading';
    const begun = performance.now();
    try {
      await load();
      if (!signal.aborted) failed(null);
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
    state = 'resting';
    const rest = Math.max(gapMs, 3 * (performance.now() - begun));
    timer = setTimeout(() => {
      state = 'idle';
      if (wanted) void run();
      else timer = setTimeout(run, Math.max(everyMs - rest, 0));
    }, rest);
  }

  document.addEventListener('visibilitychange', () => wanted && void run(), { signal });
  signal.addEventListener('abort', () => clearTimeout(timer));
  void run();
  return (now = false) => {
    wanted = true;
    if (now && state === 'resting') state = 'idle';
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
