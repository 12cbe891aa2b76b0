/**
 * Decides what a member loads and unloads to hold what its placement gives it. It unloads only to free
 * memory or when it is beyond its budget, the least recently used version first. A version that was just
 * loaded stays, except where its memory is for one that no member serves: a fleet whose members change
 * must not spend its time loading. What does not fit yet waits. The budget holds meanwhile, because a
 * version counts until it is unloaded.
 *
 * The age of the least recently used version shows how short of memory a member is: the number that
 * ModelMesh steered by.
 */
import { MIN_RESIDENCY_MS } from '../tuning.ts';

export interface Resident {
  readonly id: string;
  /** Measured memory, in bytes. */
  readonly bytes: number;
  /** Milliseconds on the member's monotonic clock. */
  readonly loadedAt: number;
  readonly usedAt: number;
}

export interface WantedVersion {
  readonly id: string;
  readonly bytes: number;
  /** Whether it gets the memory of versions that have just been loaded too: no member serves it. Default: no. */
  readonly urgent?: boolean;
}

export interface ResidencyPlan {
  readonly load: readonly string[];
  readonly unload: readonly string[];
}

/**
 * @param wanted in the order of their importance.
 * @param residents what is loaded; those that are not wanted may be unloaded.
 */
export function planResidency(
  wanted: readonly WantedVersion[],
  residents: readonly Resident[],
  budgetBytes: number,
  now: number,
): ResidencyPlan {
  const loaded = new Set(residents.map(({ id }) => id));
  const wantedIds = new Set(wanted.map(({ id }) => id));
  const unwanted = residents
    .filter(({ id }) => !wantedIds.has(id))
    .sort((a, b) => a.usedAt - b.usedAt);
  let free = budgetBytes - residents.reduce((sum, { bytes }) => sum + bytes, 0);
  const load: string[] = [];
  const unload = new Set<string>();
  // A model may turn out to be larger than its file suggests: the budget comes before its residency.
  for (const { id, bytes } of unwanted) {
    if (free >= 0) break;
    unload.add(id);
    free += bytes;
  }
  for (const { id, bytes, urgent = false } of wanted) {
    if (loaded.has(id)) continue;
    const victims: Resident[] = [];
    let available = free;
    for (const resident of unwanted) {
      const isYoung = now - resident.loadedAt < MIN_RESIDENCY_MS;
      if (unload.has(resident.id) || (isYoung && !urgent)) continue;
      victims.push(resident);
      available += resident.bytes;
    }
    if (available < bytes) continue;
    // The most recently used ones that are not needed stay.
    for (const victim of victims.sort((a, b) => b.usedAt - a.usedAt)) {
      if (available - victim.bytes >= bytes) available -= victim.bytes;
      else unload.add(victim.id);
    }
    free = available - bytes;
    load.push(id);
  }
  return { load, unload: [...unload] };
}

/** How long the least recently used version has not been used, in milliseconds; 0 without any. */
export function leastRecentAgeMs(residents: readonly Resident[], now: number): number {
  return residents.reduce((age, { usedAt }) => Math.max(age, now - usedAt), 0);
}
