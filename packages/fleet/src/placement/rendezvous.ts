/**
 * Rendezvous hashing (Thaler & Ravishankar 1998): every member has a score for every key, and a key
 * prefers the members with the highest ones. Each node computes the same order without a message,
 * and a member that leaves takes away only its own keys.
 */

/** In (0, 1), from 53 bits of the two names: FNV-1a, mixed as in MurmurHash3. */
function uniform(key: string, member: string): number {
  let low = 0x81_1c_9d_c5;
  let high = 0x9e_37_79_b9;
  const text = `${key}\u0000${member}`;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01_00_01_93);
    high = Math.imul(high ^ unit, 0x85_eb_ca_6b);
  }
  const a = mixed(low ^ (high >>> 7));
  const b = mixed(high ^ a);
  return ((a >>> 5) * 2 ** 26 + (b >>> 6) + 0.5) / 2 ** 53;
}

function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A member with twice the weight is preferred by twice the keys. */
export function score(key: string, member: string, weight: number): number {
  return -weight / Math.log(uniform(key, member));
}
