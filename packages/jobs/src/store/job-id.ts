/**
 * Ids that sort by the time of their making, so that an index of them grows at one end: 9 characters
 * of milliseconds and 11 of chance (55 bits), in an alphabet that is easy to read aloud.
 */
import { randomFillSync } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'; // Crockford's base 32
const pool = new Uint8Array(11 * 256);
let used = pool.length;

export function newJobId(now: number): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  let time = '';
  for (let rest = Math.max(0, now), digit = 0; digit < 9; digit += 1) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let chance = '';
  for (let digit = 0; digit < 11; digit += 1) chance += ALPHABET.charAt((pool[used++] ?? 0) & 31);
  return time + chance;
}
