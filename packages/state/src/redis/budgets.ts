import type { Budgets } from '../budgets/budgets.ts';
import type { Calls } from './calls.ts';

export function budgetCalls({ run }: Calls): Budgets {
  return {
    async takeBudget({ budget, limit, wanted, least, endsAt }) {
      return Number(await run('take-budget', budget, limit, wanted, least, endsAt));
    },
    async giveBackBudget(budget, amount) {
      await run('give-back-budget', budget, amount);
    },
    async takenBudget(budget) {
      return Number(await run('taken-budget', budget));
    },
  };
}
