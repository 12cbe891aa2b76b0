/**
 * Whether what has failed is worth asking again. Three failures in a row open a circuit, for a time
 * that doubles; a refused key opens it at once. Then one request is let through, and its success
 * closes it.
 *
 * A backend has a circuit for what every model there would meet, such as its connection; a route has
 * one for the rest, a refused key too: proxies refuse it for one model. `shared-circuit.ts` describes
 * how tenants share them. Spent quotas are in `quotas.ts`.
 */
import type { ErrorCode, SkeinError } from '@skein/api/errors';
import { CIRCUIT_FAILURES, CIRCUIT_MS } from '../tuning.ts';

/** Why a route is not asked. */
export interface ClosedBy {
  readonly code: ErrorCode;
  /** Whether every model at the provider is away for it, or this one. */
  readonly scope: 'provider' | 'model';
  /** How many tenants are kept away, each by failures of its own requests; absent: all. */
  readonly tenants?: number;
}

export interface Circuit {
  /** Since the last success. */
  readonly failures: number;
  readonly openUntil: number;
  /** Code of the last failure. */
  readonly code?: ErrorCode;
  /** When a request was let through an opened circuit to try it; absent: none is on its way. */
  readonly triedAt?: number | undefined;
}

export const CLOSED: Circuit = { failures: 0, openUntil: 0 };

/** Milliseconds until it may be asked; 0: now. */
export function closedIn({ failures, openUntil, triedAt }: Circuit, now: number): number {
  if (openUntil > now) return openUntil - now;
  if (failures < CIRCUIT_FAILURES || triedAt === undefined) return 0;
  // A try that never reports must not close the route for good.
  return Math.max(0, triedAt + CIRCUIT_MS.first - now);
}

/** Notes that a request was sent. */
export function afterSending(circuit: Circuit, now: number): Circuit {
  return circuit.failures < CIRCUIT_FAILURES ? circuit : { ...circuit, triedAt: now };
}

/**
 * An answer that the caller's own request caused (a refusal, a content filter) is no failure.
 *
 * @param random in [0, 1): nodes that saw the failure together must not try together.
 * @param mayBeFinal whether a refusal opens it at once.
 */
export function afterFailure(
  circuit: Circuit,
  { code, row }: SkeinError,
  now: number,
  random: number,
  mayBeFinal = true,
): Circuit {
  if (row.kind === 'user') return circuit;
  const failures = circuit.failures + 1;
  // Another key is not found by trying again soon.
  const isFinal = mayBeFinal && code === 'PROVIDER_DENIED';
  if (failures < CIRCUIT_FAILURES && !isFinal) return { ...circuit, failures, code };
  const doubled = CIRCUIT_MS.first * 2 ** Math.max(0, failures - CIRCUIT_FAILURES);
  const pauseMs = isFinal ? CIRCUIT_MS.longest : Math.min(CIRCUIT_MS.longest, doubled);
  return {
    failures: Math.max(failures, CIRCUIT_FAILURES),
    openUntil: now + pauseMs * (0.5 + random / 2),
    code,
  };
}
