/**
 * The last minute of a deployment: a ring of 60 one-second slots, each with counts and a histogram
 * of latencies. Recording changes one slot and allocates nothing.
 */
import type { DeploymentView } from '@skein/api';
import type { Instant } from '../contract.ts';
import { BUCKETS, bucketOf, quantile } from '@skein/api/latency-buckets';

const SLOTS = 60;
const SLOT_MS = 1000;

/** @param since when counting began: rates of a younger window are over its age, of at least a second. */
export function createRecentWindow(since: Instant) {
  const answered = new Uint32Array(SLOTS);
  const inTime = new Uint32Array(SLOTS);
  const shed = new Uint32Array(SLOTS);
  const rejected = new Uint32Array(SLOTS);
  const latencies = new Uint32Array(SLOTS * BUCKETS);
  /** The second of each slot, to detect a stale one. */
  const seconds = new Float64Array(SLOTS).fill(-1);

  const slotAt = (now: Instant): number => {
    const second = Math.floor(now / SLOT_MS);
    const slot = ((second % SLOTS) + SLOTS) % SLOTS;
    if (seconds[slot] !== second) {
      seconds[slot] = second;
      answered[slot] = inTime[slot] = shed[slot] = rejected[slot] = 0;
      latencies.fill(0, slot * BUCKETS, (slot + 1) * BUCKETS);
    }
    return slot;
  };

  return {
    answered(latencyMs: number, isInTime: boolean, now: Instant): void {
      const slot = slotAt(now);
      answered[slot]! += 1;
      if (isInTime) inTime[slot]! += 1;
      latencies[slot * BUCKETS + bucketOf(latencyMs)]! += 1;
    },
    /** @param shed refused for load or failed, which counts against the objective; otherwise the caller's own error. */
    refused(isShed: boolean, now: Instant): void {
      const slot = slotAt(now);
      if (isShed) shed[slot]! += 1;
      else rejected[slot]! += 1;
    },
    summary(now: Instant): DeploymentView['last'] {
      const second = Math.floor(now / SLOT_MS);
      const merged = new Uint32Array(BUCKETS);
      let answers = 0;
      let timely = 0;
      let sheds = 0;
      let rejections = 0;
      for (let slot = 0; slot < SLOTS; slot++) {
        const age = second - seconds[slot]!;
        if (age < 0 || age >= SLOTS) continue;
        answers += answered[slot]!;
        timely += inTime[slot]!;
        sheds += shed[slot]!;
        rejections += rejected[slot]!;
        for (let i = 0; i < BUCKETS; i++) merged[i]! += latencies[slot * BUCKETS + i]!;
      }
      const span = Math.min(SLOTS, Math.max(1, (now - since) / SLOT_MS));
      return {
        requestsPerSecond: (answers + sheds + rejections) / span,
        goodputPerSecond: timely / span,
        sloAttainment: answers + sheds === 0 ? null : timely / (answers + sheds),
        p50Ms: quantile(merged, answers, 0.5),
        p99Ms: quantile(merged, answers, 0.99),
        shedPerSecond: sheds / span,
      };
    },
  };
}

export type RecentWindow = ReturnType<typeof createRecentWindow>;
