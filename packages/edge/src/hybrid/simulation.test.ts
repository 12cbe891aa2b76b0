/** The policy against a clairvoyant one: 2,000 seeded devices, nodes and deadlines. */
import { expect, it } from 'vitest';
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
