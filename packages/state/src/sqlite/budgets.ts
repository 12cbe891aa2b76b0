import { BUDGET_KEPT_MS, type Budgets } from '../budgets/budgets.ts';
import type { Database } from './database.ts';

const DAY_MS = 86_400_000;
/**
 * How long a budget of a day or a month stays stored after it counts no more, in ms: the clock of a machine
 * that was ahead for a while, and is right again, must not begin a spent period anew. Only these end at midnight UTC.
 */
const STORED_MS = 35 * DAY_MS;

export function budgetTable(database: Database, clock: () => number): Budgets {
  const removeEnded = database.prepare(
    `DELETE FROM budgets
     WHERE ends_at <= :since AND (ends_at % ${DAY_MS} <> 0 OR ends_at <= :since - ${STORED_MS})`,
  );
  const taken = database.prepare(
    'SELECT taken FROM budgets WHERE name = :budget AND ends_at > :since',
  );
  const put = database.prepare('INSERT OR REPLACE INTO budgets VALUES (:budget, :taken, :endsAt)');
  const giveBack = database.prepare(
    'UPDATE budgets SET taken = max(0, taken - :amount) WHERE name = :budget',
  );
  /** The end of the last period that counts no more. */
  const since = (): number => clock() - BUDGET_KEPT_MS;
  const takenOf = (budget: string): number =>
    (taken.get({ budget, since: since() }) as { taken: number } | undefined)?.taken ?? 0;

  return {
    async takeBudget({ budget, limit, wanted, least, endsAt }) {
      return database.write('crash', () => {
        removeEnded.run({ since: since() });
        const before = takenOf(budget);
        const amount = Math.min(wanted, limit - before);
        if (amount < least || amount <= 0 || endsAt <= since()) return 0;
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
