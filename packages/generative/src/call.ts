/**
 * One call to a route: its place at the provider and its reserved worst case are taken before it is
 * sent and given back together, once, and its outcome is noted for the route.
 */
import { SkeinError } from '@skein/api/errors';
import type { Usage } from './contract.ts';
import type { Execution } from './execution.ts';
import { payerOf } from './money/ledger.ts';
import { costOf } from './money/price.ts';
import type { Route } from './routing/route.ts';

export interface CallOptions {
  readonly route: Route;
  /** Longest wait for a place, in milliseconds. */
  readonly longestWaitMs: number;
  /** Tokens at most. */
  readonly worst: Usage;
  readonly signal: AbortSignal;
  /** Whether the caller leaves the provider less time than its model does. */
  readonly isHurried: boolean;
}

export interface Call {
  /** The reserved worst case, in nano-dollars. */
  readonly worst: number;
  readonly sentAt: number;
  /** @returns the cost in nano-dollars; undefined: it was settled before. */
  settle(error: unknown, usage: Usage): number | undefined;
}

export const NOTHING: Usage = { inputTokens: 0, outputTokens: 0 };

/** Errors after which the provider has done nothing that it bills. */
const FREE: ReadonlySet<string> = new Set([
  'PROVIDER_UNREACHABLE',
  'PROVIDER_BUSY',
  'PROVIDER_QUOTA',
  'PROVIDER_DENIED',
  'PROVIDER_MODEL_UNKNOWN',
  'PROVIDER_REJECTED',
  'PROVIDER_FAILED',
  'GENERATION_UNSUPPORTED',
  'CONTENT_FILTERED',
  'CONTEXT_TOO_LONG',
]);

/** Whether a call without content is free; a late or abandoned call is still billed for its prompt. */
export function isUnbilled(error: unknown): boolean {
  return error instanceof SkeinError && FREE.has(error.code);
}

/** @throws SkeinError for want of a place or of money, and the reason of the signal: nothing is sent then. */
export async function openCall(
  execution: Pick<Execution, 'caller' | 'ledger' | 'clock' | 'random'>,
  options: CallOptions,
): Promise<Call> {
  const { caller, ledger, clock, random } = execution;
  const { route, longestWaitMs, worst, signal, isHurried } = options;
  const { price } = route.settings;
  const release = await route.places.acquire({
    tenant: caller.tenant,
    level: caller.priority || 3,
    longestMs: longestWaitMs,
    signal,
  });
  const reservation = await ledger
    .reserve(payerOf(caller), amountsOf(worst))
    .catch((error: unknown) => {
      release();
      throw error;
    });
  const sentAt = clock.now();
  route.sent(sentAt, caller.tenant);
  let isSettled = false;

  function amountsOf(usage: Usage) {
    return {
      nanoDollars: costOf(price, usage),
      tokens: usage.inputTokens + usage.outputTokens,
    };
  }

  /** A provider is not to blame for a caller in a hurry: others would find its circuit open. */
  function isBlamed(error: unknown, { outputTokens }: Usage): error is SkeinError {
    if (!(error instanceof SkeinError)) return false;
    return !(isHurried && error.code === 'PROVIDER_TIMEOUT' && outputTokens === 0);
  }

  return {
    worst: reservation.worst.nanoDollars,
    sentAt,
    settle(error, usage) {
      if (isSettled) return undefined;
      isSettled = true;
      release();
      const spent = amountsOf(usage);
      reservation.settle(spent);
      const now = clock.now();
      if (error === undefined) route.succeeded();
      else if (isBlamed(error, usage)) route.failed(error, now, random(), caller.tenant);
      return spent.nanoDollars;
    },
  };
}

/**
 * A signal that follows another one until it is unlinked, or ends by `abort`. AbortSignal.any costs
 * several times as much, and Node keeps a composite signal for as long as it has a listener.
 */
export function linkedTo(parent: AbortSignal) {
  const controller = new AbortController();
  const follow = (): void => controller.abort(parent.reason);
  if (parent.aborted) follow();
  else parent.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    abort: (reason: Error) => controller.abort(reason),
    unlink: () => parent.removeEventListener('abort', follow),
  };
}
