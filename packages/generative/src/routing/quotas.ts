/**
 * The spent quotas of a backend's key, each by its id: one of all models there, or one of a model,
 * as the upstream's words show. The first refusal opens a quota for as long as the provider asks, one
 * of a day until its reset; no request is spent on finding out.
 */
import type { SkeinError } from '@skein/api/errors';
import type { Instant } from '@skein/serving';
import { CIRCUIT_MS, MOST_QUOTAS } from '../tuning.ts';
import type { UpstreamFault } from '../wire/upstream-error.ts';

export interface Quota {
  /** The upstream's name of it. */
  readonly id: string;
  /** The model there that it counts; absent: all of them. */
  readonly model?: string | undefined;
  readonly until: Instant;
}

export const isOpen = ({ until }: Quota, now: Instant): boolean => until > now;
export const isSame = (a: Omit<Quota, 'until'>, b: Omit<Quota, 'until'>): boolean =>
  a.id === b.id && a.model === b.model;

/** The quota that a refusal reports as spent; undefined: none. @param model that was asked. */
export function quotaOf(
  { retryAfterMs = CIRCUIT_MS.first }: SkeinError,
  fault: UpstreamFault | undefined,
  model: string,
  now: Instant,
): Quota | undefined {
  if (fault?.quotaId === undefined) return undefined;
  return {
    id: fault.quotaId,
    ...(fault.isOfBackend ? {} : { model }),
    until: now + retryAfterMs,
  };
}

/** Drops quotas that are reset, and the first to be reset of too many: an upstream may name each refusal by another id. */
export function withQuota<Spent extends Quota>(
  quotas: readonly Spent[],
  spent: Spent,
  now: Instant,
): Spent[] {
  return [...quotas.filter((each) => isOpen(each, now) && !isSame(each, spent)), spent]
    .toSorted((a, b) => b.until - a.until)
    .slice(0, MOST_QUOTAS);
}

/** Quotas that keep a model away, the last to be reset first. */
export function quotasOf<Spent extends Quota>(
  quotas: readonly Spent[],
  model: string,
  now: Instant,
): Spent[] {
  return quotas
    .filter((each) => isOpen(each, now) && (each.model === undefined || each.model === model))
    .toSorted((a, b) => b.until - a.until);
}
