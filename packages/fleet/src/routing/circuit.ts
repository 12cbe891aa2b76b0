/**
 * Which members are worth asking: one that did not answer is left out for a time that doubles with
 * each failure, and then gets one request to show that it is back. A refusal is an answer.
 */
import { CIRCUIT_MS } from '../tuning.ts';

export interface Circuit {
  /** Failures since the last answer. */
  readonly failures: number;
  /** Until when the member is left out, in milliseconds on the monotonic clock. */
  readonly openUntil: number;
}

export const CLOSED: Circuit = { failures: 0, openUntil: 0 };

export function isAsked({ openUntil }: Circuit, now: number): boolean {
  return now >= openUntil;
}

/** @param random in [0, 1): nodes that lost a member together must not ask it together. */
export function afterFailure(circuit: Circuit, now: number, random: number): Circuit {
  // A request that was sent before it opened fails with the same loss.
  if (!isAsked(circuit, now)) return circuit;
  const { failures } = circuit;
  const pauseMs = Math.min(CIRCUIT_MS.longest, CIRCUIT_MS.first * 2 ** failures);
  return { failures: failures + 1, openUntil: now + pauseMs * (0.5 + random / 2) };
}
