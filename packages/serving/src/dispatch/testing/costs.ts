/** Run costs of the simulations, by rows and in milliseconds, and the capacity of such a server. */
import type { Outcome } from './simulation.ts';

export const COSTS: Record<string, (rows: number) => number> = {
  'cheap rows': (rows) => 0.3 + 0.03 * rows,
  'an even mix': (rows) => 4 + 2 * rows,
  'dear rows': (rows) => 8 * rows,
  'a high fixed cost': (rows) => 40 + rows,
};

/** The best rows per millisecond of batches that fit twice into the objective. */
export function capacityOf(
  cost: (rows: number) => number,
  objectiveMs: number,
  maxRows = 32,
): number {
  let best = 1 / cost(1);
  for (let rows = 1; rows <= maxRows; rows++) {
    if (2 * cost(rows) <= objectiveMs) best = Math.max(best, rows / cost(rows));
  }
  return best;
}

/** Outcomes between two times. */
export function during(outcomes: readonly Outcome[], from: number, to: number): Outcome[] {
  return outcomes.filter(({ finishedAt }) => finishedAt >= from && finishedAt < to);
}
