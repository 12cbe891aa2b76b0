/** Budgets of one process, for a gateway without a state. */
import type { Budgets } from '@skein/state';

export function memoryBudgets(clock: () => number = Date.now): Budgets {
  const budgets = new Map<string, { taken: number; readonly endsAt: number }>();
  const live = (name: string) => {
    const found = budgets.get(name);
    if (found === undefined || found.endsAt > clock()) return found;
    budgets.delete(name);
    return undefined;
  };
  return {
    async takeBudget({ budget, limit, wanted, least, endsAt }) {
      const before = live(budget)?.taken ?? 0;
      const amount = Math.min(wanted, limit - before);
      if (amount < least || amount <= 0) return 0;
      budgets.set(budget, { taken: before + amount, endsAt });
      return amount;
    },
    async giveBackBudget(budget, amount) {
      const found = live(budget);
      if (found !== undefined) found.taken = Math.max(0, found.taken - amount);
    },
    takenBudget: async (budget) => live(budget)?.taken ?? 0,
  };
}
