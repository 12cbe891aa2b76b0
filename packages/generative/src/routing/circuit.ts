/**
 * Which routes are worth asking. A route has a circuit for failures and one for each quota of its
 * provider's key that was spent; it is asked when none of them is open.
 *
 * - *Failures*: three in a row open it, for a time that doubles. Then one request is let through, and
 *   its success closes it.
 * - *Quotas*: the first refusal opens it for as long as the provider says, for a quota of a day until
 *   its reset. No request is spent on finding out.
 *
 * An answer that the caller's own request caused (a refusal, a content filter) is no failure.
 */
import type { SkeinError } from '@skein/api/errors';
import { faultOf } from '../wire/upstream-error.ts';
import { CIRCUIT_FAILURES, CIRCUIT_MS } from '../tuning.ts';

export interface Circuit {
  /** Since the last success. */
  readonly failures: number;
  readonly openUntil: number;
  /** When a request was let through an opened circuit to try it; absent: none is on its way. */
  readonly triedAt?: number;
  /** Spent quotas by their ids, and when each is reset. */
  readonly quotas: Readonly<Record<string, number>>;
}

export const CLOSED: Circuit = { failures: 0, openUntil: 0, quotas: {} };

/** Milliseconds until the route may be asked; 0: now. */
export function closedIn(circuit: Circuit, now: number): number {
  let until = circuit.openUntil;
  for (const id in circuit.quotas) until = Math.max(until, circuit.quotas[id]!);
  if (until > now) return until - now;
  if (circuit.failures < CIRCUIT_FAILURES || circuit.triedAt === undefined) return 0;
  // A try that never reports must not close the route for good.
  return Math.max(0, circuit.triedAt + CIRCUIT_MS.first - now);
}

/** Notes that a request was sent. */
export function afterSending(circuit: Circuit, now: number): Circuit {
  return circuit.failures < CIRCUIT_FAILURES ? circuit : { ...circuit, triedAt: now };
}

export function afterSuccess(circuit: Circuit, now: number): Circuit {
  if (circuit.failures === 0 && Object.keys(circuit.quotas).length === 0) return circuit;
  return { failures: 0, openUntil: 0, quotas: openQuotas(circuit, now) };
}

/** Those that are reset are forgotten: an upstream may name each refusal by another id. */
const openQuotas = ({ quotas }: Circuit, now: number): Circuit['quotas'] =>
  Object.fromEntries(Object.entries(quotas).filter(([, until]) => until > now));

/** @param random in [0, 1): nodes that saw the failure together must not try together. */
export function afterFailure(
  circuit: Circuit,
  error: SkeinError,
  now: number,
  random: number,
): Circuit {
  const waitMs = error.retryAfterMs ?? CIRCUIT_MS.first;
  const quotaId = faultOf(error)?.quotaId;
  if (quotaId !== undefined) {
    return { ...circuit, quotas: { ...openQuotas(circuit, now), [quotaId]: now + waitMs } };
  }
  if (error.row.kind === 'user') return circuit;
  const failures = circuit.failures + 1;
  // Another key is not found by trying again soon.
  const isFinal = error.code === 'UPSTREAM_DENIED';
  if (failures < CIRCUIT_FAILURES && !isFinal) return { ...circuit, failures };
  const doubled = CIRCUIT_MS.first * 2 ** Math.max(0, failures - CIRCUIT_FAILURES);
  const pauseMs = isFinal ? CIRCUIT_MS.longest : Math.min(CIRCUIT_MS.longest, doubled);
  return {
    failures: Math.max(failures, CIRCUIT_FAILURES),
    openUntil: now + pauseMs * (0.5 + random / 2),
    quotas: circuit.quotas,
  };
}
