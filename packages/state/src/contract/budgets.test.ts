/** The contract of budgets, over every backend. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { BUDGET_KEPT_MS } from '../budgets/budgets.ts';
import { overEveryState, START } from '../testing/every-state.ts';

const DAY_MS = 86_400_000;

overEveryState(
  'budgets',
  (at) => {
    const take = (wanted: number, least = 1, state = at.state) =>
      state.budgets.takeBudget({
        budget: 'tenant:a usd',
        limit: 100,
        wanted,
        least,
        endsAt: START + DAY_MS,
      });

    it('give what is left, or nothing where that is less than the least', async () => {
      const other = await at.another();
      expect(await take(70)).toBe(70);
      expect(await take(70, 31, other)).toBe(0);
      expect(await take(70, 30, other)).toBe(30);
      expect(await take(1)).toBe(0);
      await other.budgets.giveBackBudget('tenant:a usd', 12);
      expect(await at.state.budgets.takenBudget('tenant:a usd')).toBe(88);
      expect(await take(20)).toBe(12);
      // More than was taken is not a larger budget.
      await at.state.budgets.giveBackBudget('tenant:a usd', 150);
      expect(await take(150)).toBe(100);
    });

    it("hold for a node whose clock is behind the store's, and are not given twice to it", async () => {
      await take(60);
      at.now += DAY_MS + BUDGET_KEPT_MS / 2;
      expect(await take(60)).toBe(40);
      expect(await take(60)).toBe(0);
      await at.state.budgets.giveBackBudget('tenant:a usd', 10);
      expect(await take(60)).toBe(10);
    });

    it('are removed after their period, with what is given back then', async () => {
      await take(100);
      at.now += DAY_MS + BUDGET_KEPT_MS;
      expect(await take(1)).toBe(0);
      expect(await at.state.budgets.takenBudget('tenant:a usd')).toBe(0);
      await at.state.budgets.giveBackBudget('tenant:a usd', 50);
      const block = { budget: 'tenant:a usd', limit: 100, least: 1, endsAt: START + 2 * DAY_MS };
      expect(await at.state.budgets.takeBudget({ ...block, wanted: 200 })).toBe(100);
    });

    it('survive the end of their process', async () => {
      await take(60);
      await at.reopen();
      expect(await take(60)).toBe(40);
    });

    it('are exact up to 2^53, and never given twice to callers at once', async () => {
      const limit = Number.MAX_SAFE_INTEGER;
      const block = { budget: 'large', limit, wanted: limit, least: 1, endsAt: START + DAY_MS };
      expect(await at.state.budgets.takeBudget(block)).toBe(limit);
      expect(await at.state.budgets.takeBudget(block)).toBe(0);
      const states = [at.state, await at.another(), await at.another()];
      await fc.assert(
        fc.asyncProperty(
          fc.uuid(),
          fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 5, maxLength: 30 }),
          async (budget, wishes) => {
            const taken = await Promise.all(
              wishes.map((wanted, index) =>
                states[index % 3]!.budgets.takeBudget({
                  budget,
                  limit: 100,
                  wanted,
                  least: 1,
                  endsAt: START + DAY_MS,
                }),
              ),
            );
            const sum = taken.reduce((all, each) => all + each, 0);
            const wished = wishes.reduce((all, each) => all + each, 0);
            expect(sum).toBe(Math.min(100, wished));
          },
        ),
        { numRuns: 10, seed: 3 },
      );
    });
  },
  "the test's",
);
