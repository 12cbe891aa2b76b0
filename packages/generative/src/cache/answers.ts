/** Whole answers of deterministic requests, repeated while they are fresh. The oldest go first. */
import type { Instant } from '@skein/serving';
import type { GenerateEvent } from '../contract.ts';

export interface Answers {
  find(key: string, now: Instant): readonly GenerateEvent[] | undefined;
  keep(key: string, events: readonly GenerateEvent[], now: Instant): void;
  /** Estimated size of the kept answers in memory. */
  readonly bytes: number;
}

const LARGEST_BYTES = 64 * 2 ** 20;
const FRESH_MS = 60_000;
/** Estimated memory of an event's objects, without its text. */
const EVENT_BYTES = 200;

interface Entry {
  readonly events: readonly GenerateEvent[];
  readonly since: Instant;
  readonly bytes: number;
}

export function createAnswers(largestBytes = LARGEST_BYTES): Answers {
  /** In the order of their age. */
  const entries = new Map<string, Entry>();
  let bytes = 0;

  function drop(key: string): void {
    bytes -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  }

  return {
    get bytes() {
      return bytes;
    },
    find(key, now) {
      const entry = entries.get(key);
      if (entry === undefined || now - entry.since <= FRESH_MS) return entry?.events;
      drop(key);
      return undefined;
    },
    keep(key, events, now) {
      drop(key);
      const size = sizeOf(events);
      if (size > largestBytes) return;
      entries.set(key, { events, since: now, bytes: size });
      bytes += size;
      for (const [oldest, { since }] of entries) {
        if (bytes <= largestBytes && now - since <= FRESH_MS) break;
        drop(oldest);
      }
    },
  };
}

/** Two bytes for each character of whatever the events hold: calls, log probabilities, fields of the wire. */
function sizeOf(events: readonly GenerateEvent[]): number {
  return EVENT_BYTES * events.length + 2 * JSON.stringify(events).length;
}
