/**
 * The timeout of a call, as its client has sent it. The library keeps it as milliseconds in 32 bits: one of more than
 * 24.8 days, from clients that mean to wait for ever, would have passed at once, or would pass hours later.
 */
import type { IncomingHttpHeaders } from 'node:http2';

const HEADER = 'grpc-timeout';
const SECONDS: Readonly<Record<string, number>> = { H: 3600, M: 60, S: 1 };
const LONGEST_SECONDS = Math.floor((2 ** 31 - 1) / 1000);

/** Shortens one that is too long to the longest that the library can keep. */
export function boundTimeout(headers: IncomingHttpHeaders): void {
  const [, amount, unit] = /^(\d{1,8})([HMS])$/.exec(String(headers[HEADER])) ?? [];
  if (amount === undefined || unit === undefined) return;
  if (Number(amount) * SECONDS[unit]! > LONGEST_SECONDS) headers[HEADER] = `${LONGEST_SECONDS}S`;
}
