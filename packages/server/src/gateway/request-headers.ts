/** The timeout and the trace of a request, from its headers or metadata. */
import type { Instant, TraceContext } from '@skein/serving';
import { brief, invalidRequest } from './brief.ts';

/** `Skein-Timeout-Ms` as sent. @throws SkeinError REQUEST_INVALID. */
export function timeoutFromHeader(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const timeoutMs = /^\d{1,9}(\.\d{1,6})?$/.test(value) ? Number(value) : 0;
  if (timeoutMs > 0) return timeoutMs;
  throw invalidRequest(
    `Skein-Timeout-Ms must be milliseconds in digits, above 0 and below 1000000000, but it is ${brief(value)}.`,
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

const IDS = '(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}';
/** A later version may have more behind what this one has. */
const TRACEPARENT = new RegExp(`^(?:00-${IDS}|(?!00|ff)[0-9a-f]{2}-${IDS}(?:-.*)?)$`);
/** The length that must be passed on; longer ones are dropped. */
const MAX_TRACESTATE = 512;

/** W3C Trace Context of the caller; a malformed one is ignored, as the recommendation requires. */
export function traceFrom(
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | undefined {
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return undefined;
  if (tracestate === undefined || tracestate.length > MAX_TRACESTATE) return { traceparent };
  return { traceparent, tracestate };
}
