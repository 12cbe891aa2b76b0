/**
 * The two modes of sending.
 *
 * Open: at the intended times, whatever the server answers. A latency counts from the intended
 * time, so a stall of the server (or of the generator) counts for every request that should have
 * been sent meanwhile. Measuring from the actual send would hide exactly the worst moments:
 * "coordinated omission" (Gil Tene, "How NOT to Measure Latency").
 *
 * Closed: a fixed number of clients; each waits for its answer before it sends again. It
 * finds the throughput of a server, not its latency under a given traffic.
 */
import type { Arrivals } from './arrivals.ts';
import type { Tally } from './measuring/tally.ts';
import type { Sender, WireAnswer } from './target.ts';

/** Time in milliseconds, injected so that tests can simulate it. */
export interface LoadClock {
  now(): number;
  /** Calls back once, no earlier than after `ms`. */
  after(ms: number, wake: () => void): void;
}

export const SYSTEM_CLOCK: LoadClock = {
  now: () => performance.now(),
  after: (ms, wake) => {
    setTimeout(wake, ms);
  },
};

export interface LoopWindow {
  /** Sent first and not counted. */
  readonly warmupMs: number;
  readonly durationMs: number;
  /** A request without an answer for this long counts as failed. */
  readonly timeoutMs: number;
}

/** Resolves when every request that was sent has ended. */
export function runOpenLoop(
  arrivals: Arrivals,
  sender: Sender,
  tally: Tally,
  window: LoopWindow,
  clock: LoadClock = SYSTEM_CLOCK,
): Promise<void> {
  const start = clock.now();
  const countFrom = start + window.warmupMs;
  const end = countFrom + window.durationMs;
  return new Promise((resolve) => {
    let outstanding = 0;
    let next = start + arrivals();
    let sending = true;

    const sendOne = (intended: number, now: number): void => {
      const counted = intended >= countFrom;
      if (counted) tally.recordSent(now - intended);
      outstanding += 1;
      sender.send((answer: WireAnswer) => {
        outstanding -= 1;
        if (counted) tally.recordAnswer(answer, clock.now() - intended);
        if (sending) pump();
        else if (outstanding === 0) resolve();
      }, window.timeoutMs);
    };

    /**
     * Sends all requests that are due. Also runs at every answer, which keeps sends close to their
     * times.
     */
    const pump = (): void => {
      let now = clock.now();
      while (next <= now && next < end) {
        sendOne(next, now);
        next = start + arrivals();
        now = clock.now();
      }
      if (next < end) return;
      sending = false;
      if (outstanding === 0) resolve();
    };

    const tick = (): void => {
      if (!sending) return;
      pump();
      if (sending) clock.after(Math.max(1, Math.floor(next - clock.now())), tick);
    };
    tick();
  });
}

/** Resolves when every client has its last answer. Counts the answers inside the window. */
export function runClosedLoop(
  clients: number,
  sender: Sender,
  tally: Tally,
  window: LoopWindow,
  clock: LoadClock = SYSTEM_CLOCK,
): Promise<void> {
  const countFrom = clock.now() + window.warmupMs;
  const end = countFrom + window.durationMs;
  return new Promise((resolve) => {
    let active = clients;
    const sendOne = (): void => {
      const sentAt = clock.now();
      if (sentAt >= end) {
        active -= 1;
        if (active === 0) resolve();
        return;
      }
      sender.send((answer) => {
        const now = clock.now();
        if (now >= countFrom && now < end) {
          tally.recordSent(0);
          tally.recordAnswer(answer, now - sentAt);
        }
        // Without this wait, an immediate refusal would make the client a busy loop.
        if (answer.outcome === 'ok') sendOne();
        else clock.after(1, sendOne);
      }, window.timeoutMs);
    };
    for (let client = 0; client < clients; client++) sendOne();
  });
}
