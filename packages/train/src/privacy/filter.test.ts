import { expect, it } from 'vitest';
import { epsilonOf } from './accountant.ts';
import { filteredEpsilon } from './filter.ts';
import type { Mechanism } from './mechanism.ts';
import { conversionOf, ORDERS, rdpOf } from './rdp.ts';

const whole: Mechanism = { kind: 'discrete', noise: 20, sampling: { kind: 'all' }, steps: 30 };
const sampled: Mechanism = {
  kind: 'discrete',
  noise: 1,
  sampling: { kind: 'poisson', rate: 0.02 },
  steps: 40,
};
const limit = { epsilon: 3, delta: 1e-5 };

it('counts nothing for no release, and a first mechanism by every accountant', () => {
  expect(filteredEpsilon([], limit)).toBe(0);
  expect(filteredEpsilon([{ ...whole, steps: 0 }], limit)).toBe(0);
  const tree: Mechanism = { kind: 'tree', noise: 4, steps: 64 };
  const { epsilon, pld } = epsilonOf([tree], limit.delta);
  expect(pld).toBeLessThan(epsilonOf([tree], limit.delta).rdp.epsilon);
  expect(filteredEpsilon([{ ...whole, steps: 0 }, tree], limit)).toBe(epsilon);
});

it('adds divergences up at the order at which the first mechanism fits into the limit most often', () => {
  const times = (order: number) =>
    (limit.epsilon - conversionOf(order, limit.delta)) / rdpOf(sampled, order);
  const best = ORDERS.filter(Number.isInteger).toSorted((a, b) => times(b) - times(a))[0]!;
  const wanted = rdpOf(sampled, best) + 2 * rdpOf(whole, best) + conversionOf(best, limit.delta);
  expect(filteredEpsilon([sampled, whole, whole], limit)).toBeCloseTo(wanted, 12);
  // Where the first is another one, the order is.
  expect(filteredEpsilon([whole, whole, sampled], limit)).not.toBeCloseTo(wanted, 3);
});

it('keeps its order whatever follows, where the best order of a composition moves', () => {
  const after = (count: number) =>
    filteredEpsilon([sampled, ...Array.from({ length: count }, () => whole)], limit);
  const steps = [1, 2, 3].map((count) => after(count + 1) - after(count));
  expect(steps[1]).toBeCloseTo(steps[0]!, 10);
  expect(steps[2]).toBeCloseTo(steps[0]!, 10);
  const order = (count: number) =>
    epsilonOf([sampled, ...Array.from({ length: count }, () => whole)], limit.delta).rdp.order;
  expect(order(40)).not.toBe(order(1));
});

it('is at most a little above the composition of terms that were fixed beforehand, and far below a sum', () => {
  const twice = [whole, whole];
  const spent = epsilonOf(twice, limit.delta).epsilon;
  const one = epsilonOf([whole], limit.delta).epsilon;
  const filtered = filteredEpsilon(twice, { ...limit, epsilon: 2 * one });
  expect(filtered).toBeGreaterThanOrEqual(spent);
  expect(filtered).toBeLessThan(1.1 * spent);
  expect(filtered).toBeLessThan(0.8 * 2 * one);
});
