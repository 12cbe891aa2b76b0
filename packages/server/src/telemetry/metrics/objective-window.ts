/**
 * How well an objective was met in the last minutes, in constant memory: a ring of ten-second slots
 * over one hour.
 *
 * The burn rate is the speed at which the error budget is spent: 1 uses exactly what the
 * objective's quantile allows, 14.4 over an hour uses up 2 % of a month's budget. Alert if a long
 * and a short window both burn (The Site Reliability Workbook, chapter 5).
 */
import type { Instant } from '@skein/serving';

const SLOT_MS = 10_000;
const SLOTS = 360;

export interface ObjectiveWindow {
  /** Slot number since the clock's zero that each place of the ring holds; -1: none yet. */
  readonly slots: Float64Array;
  readonly total: Float64Array;
  readonly kept: Float64Array;
}

export interface Attainment {
  readonly total: number;
  readonly kept: number;
  /** The time that the counts cover, in seconds. */
  readonly seconds: number;
}

export function objectiveWindow(): ObjectiveWindow {
  return {
    slots: new Float64Array(SLOTS).fill(-1),
    total: new Float64Array(SLOTS),
    kept: new Float64Array(SLOTS),
  };
}

export function count(window: ObjectiveWindow, kept: boolean, now: Instant): void {
  const slot = Math.floor(now / SLOT_MS);
  const place = slot % SLOTS;
  if (window.slots[place] !== slot) {
    window.slots[place] = slot;
    window.total[place] = 0;
    window.kept[place] = 0;
  }
  window.total[place] = (window.total[place] as number) + 1;
  if (kept) window.kept[place] = (window.kept[place] as number) + 1;
}

/** @param minutes up to 60. The current slot counts by the part of it that has passed. */
export function attainment(window: ObjectiveWindow, minutes: number, now: Instant): Attainment {
  const current = Math.floor(now / SLOT_MS);
  const oldest = current - Math.min(SLOTS, (minutes * 60_000) / SLOT_MS) + 1;
  let total = 0;
  let kept = 0;
  for (let place = 0; place < SLOTS; place += 1) {
    const slot = window.slots[place] as number;
    if (slot < oldest || slot < 0 || slot > current) continue;
    total += window.total[place] as number;
    kept += window.kept[place] as number;
  }
  const seconds = (now - Math.max(0, oldest) * SLOT_MS) / 1000;
  return { total, kept, seconds };
}

/** NaN without traffic. @param quantile the share that the objective requires. */
export function burnRate({ total, kept }: Attainment, quantile: number): number {
  return (total - kept) / total / (1 - quantile);
}
