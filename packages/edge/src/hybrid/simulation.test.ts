/** The policy against a clairvoyant one: 2,000 seeded devices, nodes and deadlines. */
import { expect, it } from 'vitest';
import type { HedgeMargins } from './policy.ts';
import { offloadRegretPp, simulateOffload } from './simulation.ts';

const CASES = 2000;

it('misses at most 0.3 points more deadlines than a clairvoyant policy', () => {
  const regret = offloadRegretPp(CASES);
  expect(regret).toBeLessThan(0.3);
  // A clairvoyant policy cannot be beaten; cases without any choice would show nothing.
  expect(regret).toBeGreaterThan(0);
});

it('sends a share of the inputs only, and has cases in which both matter', () => {
  const cases = Array.from({ length: CASES }, (_, index) => simulateOffload(index + 1));
  const sum = (of: (each: (typeof cases)[number]) => number): number =>
    cases.reduce((total, each) => total + of(each), 0);
  const requests = sum((each) => each.requests);
  expect(sum((each) => each.sent) / requests).toBeLessThan(0.45);
  // Fast devices send hardly anything.
  expect(cases.filter((each) => each.sent < each.requests / 50).length).toBeGreaterThan(CASES / 4);
  expect(cases.filter((each) => each.missedByClairvoyant > 0).length).toBeGreaterThan(CASES / 4);
});

it('asks the node at a time that half a margin makes worse, and twice a margin makes dearer', () => {
  const [trip, unknownTripShare] = [1.2, 0.8];
  const [chosen, ...halves] = [
    { trip, unknownTripShare },
    { trip: trip / 2, unknownTripShare },
    { trip, unknownTripShare: unknownTripShare / 2 },
  ].map(totalsOf);
  for (const { excess } of halves) expect(excess).toBeGreaterThan(1.1 * chosen!.excess);
  const doubles = [
    { trip: 2 * trip, unknownTripShare },
    { trip, unknownTripShare: 2 * unknownTripShare },
  ].map(totalsOf);
  for (const { sent } of doubles) expect(sent).toBeGreaterThan(1.03 * chosen!.sent);
});

/** Deadline misses in addition to the clairvoyant policy's, and requests of the node. */
function totalsOf(margins: HedgeMargins): { readonly excess: number; readonly sent: number } {
  const totals = { excess: 0, sent: 0 };
  for (let seed = 1; seed <= CASES; seed++) {
    const each = simulateOffload(seed, margins);
    totals.excess += each.missed - each.missedByClairvoyant;
    totals.sent += each.sent;
  }
  return totals;
}
