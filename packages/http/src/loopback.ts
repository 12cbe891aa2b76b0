/** Addresses that only this machine can reach. */
import { isIPv4, isIPv6 } from 'node:net';

/** 127.0.0.0/8 (also as IPv4-mapped IPv6), ::1 and localhost. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost') return true;
  const mapped = /^::ffff:([0-9.]+)$/.exec(bare)?.[1] ?? bare;
  if (isIPv4(mapped)) return mapped.startsWith('127.');
  // Any spelling of ::1, such as 0:0:0:0:0:0:0:1.
  return isIPv6(bare) && /^[0:]*:0{0,3}1$/.test(bare);
}
