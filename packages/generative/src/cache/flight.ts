/**
 * One call for all callers that ask for the same at the same time. It belongs to none of them: each
 * waits with a deadline of its own and leaves by its own signal, and the last one that leaves ends it.
 *
 *   join ─▶ waiting ── first content ─▶ reading ── end of the answer ─▶ done
 *              └─ deadline, signal ─┐      └─ signal, loop left ─┐
 *                                   └────────────────────────────┴─▶ left
 */
import { SkeinError } from '@skein/api/errors';
import type { Instant } from '@skein/serving';
import type { GenerateEvent } from '../contract.ts';
import type { Events } from '../execute.ts';
import { leavable, type EventIterator } from '../leavable.ts';
import { createTape, type Tape } from './tape.ts';

export interface FlightOptions<Answer> {
  /** When the call itself gives up to wait for its first content. */
  readonly deadlineAt: Instant;
  readonly clock: { now(): Instant };
  /** @param begun to be called at the first content. @returns with the first content, or later. */
  begin(signal: AbortSignal, begun: () => void): Promise<Answer>;
  /** Called once, when no caller may join any more; the tape is whole unless the call failed or was left. */
  ended(tape: Tape): void;
}

export interface Flight<Answer> {
  readonly deadlineAt: Instant;
  /** @param deadlineAt when the caller gives up to wait for its first content. */
  join(signal: AbortSignal, deadlineAt: Instant): FlightReader<Answer>;
}

export interface FlightReader<Answer> {
  /**
   * @throws SkeinError the failure of the call; PROVIDER_TIMEOUT at the reader's own deadline; the
   *   reason of its signal.
   */
  readonly answer: Promise<Answer>;
  /** From the first event on. Leaving the loop, also before it begins, leaves the flight. */
  events(): EventIterator;
  /**
   * Whether the call's cost is on this reader's receipt. The first reader that has not left before
   * the end pays. The call is charged to the budgets of the caller that began it.
   */
  readonly pays: () => boolean;
}

export function startFlight<Answer extends { readonly events: () => Events }>(
  options: FlightOptions<Answer>,
): Flight<Answer> {
  const { clock } = options;
  const gone = new AbortController();
  const tape = createTape();
  const readers = new Set<object>();
  let hasBegun = false;
  let isEnded = false;
  const answer = options.begin(gone.signal, () => {
    hasBegun = true;
  });
  const end = (): void => {
    if (isEnded) return;
    isEnded = true;
    options.ended(tape);
  };
  void (async () => {
    try {
      for await (const event of (await answer).events()) tape.push(event);
      tape.end();
    } catch (error) {
      tape.end(error as Error);
    } finally {
      end();
    }
  })();

  return {
    deadlineAt: options.deadlineAt,
    join(signal, deadlineAt) {
      const me = {};
      readers.add(me);
      const left = Promise.withResolvers<never>();
      left.promise.catch(() => {});
      const leave = (reason: unknown): void => {
        left.reject(reason);
        if (isEnded || !readers.has(me)) return;
        if (readers.size > 1) return void readers.delete(me);
        end();
        gone.abort(new SkeinError('CANCELLED', 'Every caller has left.'));
      };
      const abort = (): void => leave(signal.reason);
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
      const leftMs = Math.max(0, deadlineAt - clock.now());
      const late = (): void => {
        if (hasBegun) return;
        leave(new SkeinError('PROVIDER_TIMEOUT', 'No first token came by the deadline.'));
      };
      // The call's own deadline error is more precise: it names the late provider.
      const timer = deadlineAt < options.deadlineAt ? setTimeout(late, leftMs) : undefined;
      const own = Promise.race([answer, left.promise]).finally(() => clearTimeout(timer));
      // Nothing of a call that failed is read.
      own.catch(() => signal.removeEventListener('abort', abort));
      const done = (): void => {
        signal.removeEventListener('abort', abort);
        if (!isEnded) leave(new SkeinError('CANCELLED', 'The answer was not read to its end.'));
      };
      async function* read(): AsyncGenerator<GenerateEvent, void> {
        try {
          yield* tape.read(signal);
        } finally {
          done();
        }
      }
      return {
        answer: own,
        events: () => leavable(read(), done),
        pays: () => readers.values().next().value === me,
      };
    },
  };
}
