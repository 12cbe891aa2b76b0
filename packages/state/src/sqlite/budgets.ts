import type { Budgets } from '../budgets/budgets.ts';
import type { Database } from './database.ts';

export function budgetTable(database: Database, clock: () => number): Budgets {
  const forget = database.prepare('DELETE FROM budgets WHERE ends_at <= :now');
  const taken = database.prepare(
    'SELECT taken FROM budgets WHERE name = :budget AND ends_at > :now',
  );
  const put = database.prepare('INSERT OR REPLACE INTO budgets VALUES (:budget, :taken, :endsAt)');
  const giveBack = database.prepare(
    'UPDATE budgets SET taken = max(0, taken - :amount) WHERE name = :budget',
  );
  const takenOf = (budget: string): number =>
    (taken.get({ budget, now: clock() }) as { taken: number } | undefined)?.taken ?? 0;

  return {
    async takeBudget({ budget, limit, wanted, least, endsAt }) {
      return database.write('crash', () => {
        forget.run({ now: clock() });
        const before = takenOf(budget);
        const amount = Math.min(wanted, limit - before);
        if (amount < least || amount <= 0) return 0;
        put.run({ budget, taken: before + amount, endsAt });
        return amount;
      });
    },
    async giveBackBudget(budget, amount) {
      database.write('crash', () => giveBack.run({ budget, amount }));
    },
    async takenBudget(budget) {
      return database.read(() => takenOf(budget));
    },
  };
}
