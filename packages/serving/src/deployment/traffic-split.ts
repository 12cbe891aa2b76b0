/**
 * Chooses the version of a request: the versions are intervals on [0, 1), each as long as its
 * share, and a request is a point on that line, random or hashed from its sticky key.
 *
 * A rollout puts the incoming version first. Its share then grows from 0, so a caller whose key has
 * once been in its interval stays there while the share rises.
 */
export interface Share {
  /** A share of the sum of all weights. */
  readonly weight: number;
}

/**
 * @param position in [0, 1).
 * @returns the target at that position, or undefined when no target has a weight.
 */
export function targetAt<T extends Share>(targets: readonly T[], position: number): T | undefined {
  let total = 0;
  for (const target of targets) total += target.weight;
  let rest = position * total;
  let last: T | undefined;
  for (const target of targets) {
    if (target.weight <= 0) continue;
    if (rest < target.weight) return target;
    rest -= target.weight;
    last = target;
  }
  // Rounding may move a position just past the last weight.
  return last;
}

/**
 * The position of a sticky key, uniform over [0, 1): 32-bit FNV-1a and MurmurHash3's finaliser,
 * which spreads keys that differ only in their last characters.
 *
 * @param salt makes the first callers of each deployment different.
 */
export function stickyPosition(key: string, salt: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < salt.length; i++) hash = Math.imul(hash ^ salt.charCodeAt(i), 0x01000193);
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
