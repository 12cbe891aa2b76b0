import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SkeinError } from './errors.ts';
import { SharedBudget, type ShareOf } from './shared-budget.ts';

function budgetOf(max: number, shareOf?: ShareOf): SharedBudget {
  return new SharedBudget({
    name: 'bodies',
    unit: 'bytes',
    max,
    ...(shareOf === undefined ? {} : { shareOf }),
    refuse: ({ amount, tenantLimit }) =>
      new SkeinError('QUOTA_EXCEEDED', `${amount} is over ${tenantLimit}`),
  });
}

const half: ShareOf = () => 1 / 2;

it('lets the one tenant of a node without keys hold everything', () => {
  const budget = budgetOf(100);
  budget.take('default', 100);
  expect(() => budget.take('default', 1)).toThrow('1 is over 100');
  budget.give('default', 100);
  expect(budget.usageOf('default')).toEqual({ name: 'bodies', unit: 'bytes', held: 0, limit: 100 });
});

it('leaves memory for another tenant, however much one tenant takes', () => {
  const budget = budgetOf(100, half);
  budget.take('greedy', 50);
  expect(() => budget.take('greedy', 1)).toThrow('1 is over 50');
  budget.take('second', 25);
  expect(budget.limitOf('third')).toBe(12);
  // The first tenant keeps what it holds, but gets no more before other tenants give back.
  expect(() => budget.take('greedy', 1)).toThrow('1 is over 37');
  budget.take('greedy', 0);
});

it('gives a tenant with a larger weight more', () => {
  const budget = budgetOf(100, (tenant) => (tenant === 'paying' ? 3 / 4 : 1 / 2));
  expect(budget.limitOf('paying')).toBe(75);
  budget.take('paying', 75);
  expect(budget.limitOf('free')).toBe(12);
});

it('takes nothing when it refuses, and a hold gives back what it took, once', () => {
  const budget = budgetOf(100, half);
  const hold = budget.hold('a');
  hold.take(30);
  expect(() => hold.check(21)).toThrow(SkeinError);
  expect(() => hold.take(21)).toThrow(SkeinError);
  expect(budget.held).toBe(30);
  hold.give(10);
  expect(budget.heldBy('a')).toBe(20);
  hold.release();
  hold.release();
  expect(budget.held).toBe(0);
  expect([...budget.tenants()]).toEqual([]);
});

it('lets a tenant that holds nothing else have any answer', () => {
  const budget = budgetOf(100);
  const request = budget.hold('a');
  request.take(10);
  request.checkAnswer(1000);
  budget.take('b', 1);
  request.checkAnswer(1000);
  budget.take('a', 1);
  expect(() => request.checkAnswer(1000)).toThrow('1000 is over 99');
  request.checkAnswer(80);
});

it('never holds more than its maximum and always has memory for one more tenant', () => {
  const step = fc.record({ tenant: fc.nat(5), amount: fc.integer({ min: 1, max: 400 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = budgetOf(1000, half);
      for (const { tenant, amount } of steps) {
        try {
          budget.take(String(tenant), amount);
        } catch (error) {
          expect(error).toBeInstanceOf(SkeinError);
        }
      }
      expect(budget.held).toBeLessThanOrEqual(1000);
      expect(budget.limitOf('newcomer')).toBeGreaterThanOrEqual(Math.floor(1000 / 2 ** 7));
    }),
  );
});
