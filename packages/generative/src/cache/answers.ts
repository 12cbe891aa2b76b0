/**
 * Answers of deterministic requests: repeated while they are fresh, and shared while they come.
 *
 * A request that is the same as one in flight joins it and reads the same events; when the first
 * caller leaves, the others keep the answer going. Only whole answers are kept, the oldest go first.
 */
import type { GenerateEvent } from '../contract.ts';
import type { Tape } from './tape.ts';

export interface Answers {
  /** A finished answer, or one in flight. */
  find(key: string, now: number): { readonly tape: Tape; readonly isWhole: boolean } | undefined;
  /** Others may join it from now on. */
  begin(key: string, tape: Tape, now: number): void;
  /** Keeps it if it is whole; forgets it otherwise. */
  end(key: string, tape: Tape): void;
}

const LARGEST_BYTES = 64 * 2 ** 20;
const FRESH_MS = 60_000;

interface Entry {
  readonly tape: Tape;
  readonly since: number;
  bytes: number;
}

export function createAnswers(): Answers {
  /** In the order of their age. */
  const entries = new Map<string, Entry>();
  let bytes = 0;

  function forget(key: string, entry: Entry): void {
    if (entries.get(key) !== entry) return;
    entries.delete(key);
    bytes -= entry.bytes;
  }

  return {
    find(key, now) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (now - entry.since > FRESH_MS) {
        forget(key, entry);
        return undefined;
      }
      return { tape: entry.tape, isWhole: entry.tape.isWhole };
    },
    begin(key, tape, now) {
      const before = entries.get(key);
      if (before !== undefined) forget(key, before);
      entries.set(key, { tape, since: now, bytes: 0 });
    },
    end(key, tape) {
      const entry = entries.get(key);
      if (entry?.tape !== tape) return;
      if (!tape.isWhole) return forget(key, entry);
      entry.bytes = tape.events.reduce((sum, event) => sum + sizeOf(event), 0);
      bytes += entry.bytes;
      for (const [oldest, each] of entries) {
        if (bytes <= LARGEST_BYTES) break;
        forget(oldest, each);
      }
    },
  };
}

/** In memory, roughly: an object and two bytes a character. */
function sizeOf(event: GenerateEvent): number {
  const text = event.type === 'tool-call' ? event.arguments : 'text' in event ? event.text : '';
  return 200 + 2 * text.length;
}
