/** The deadline of a request, from the client's timeouts. */
import { SkeinError } from '@skein/api';
import type { Instant } from '@skein/serving';
import { brief } from './tensor-bytes.ts';

/** `Skein-Timeout-Ms` as sent. @throws SkeinError REQUEST_INVALID. */
export function timeoutFromHeader(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const timeoutMs = /^\d{1,9}(\.\d{1,6})?$/.test(value) ? Number(value) : 0;
  if (timeoutMs > 0) return timeoutMs;
  throw new SkeinError(
    'REQUEST_INVALID',
    `Skein-Timeout-Ms must be a positive number of milliseconds, but it is ${brief(value)}.`,
  );
}

/**
 * The earlier of two timeouts, counted from when the request reached the node, because the client
 * counts from then. Without a timeout the objective applies, counted from the end of the body.
 */
export function deadlineFrom(
  reachedAt: Instant,
  one: number | undefined,
  other: number | undefined,
): Instant | undefined {
  if (one === undefined && other === undefined) return undefined;
  return reachedAt + Math.min(one ?? Infinity, other ?? Infinity);
}
