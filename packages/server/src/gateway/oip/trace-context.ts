/** W3C Trace Context of the caller; a malformed one is ignored, as the recommendation requires. */
import type { TraceContext } from '@skein/serving';

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** The length that must be passed on; longer ones are dropped. */
const MAX_TRACESTATE = 512;

export function traceFrom(
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | undefined {
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return undefined;
  if (tracestate === undefined || tracestate.length > MAX_TRACESTATE) return { traceparent };
  return { traceparent, tracestate };
}
