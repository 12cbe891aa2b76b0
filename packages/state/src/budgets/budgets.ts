/**
 * Amounts that are spent over a period: US dollars or tokens of a key or a tenant in a day. A member
 * takes a block of what is left, spends it alone, and gives back what it did not need. The blocks
 * that were taken and not given back never sum to more than the limit.
 *
 * A member that dies has spent its block: requests that it had sent to a provider are paid, and no other
 * member has a record of their cost.
 */
export interface BudgetBlock {
  /** Names the budget and its period, such as `tenant:a usd 2030-01-31`. */
  readonly budget: string;
  /** Whole numbers, as all amounts here, below 2^53. */
  readonly limit: number;
  readonly wanted: number;
  /** With less than that, nothing is taken. */
  readonly least: number;
  /** When the period ends, in ms since the epoch. */
  readonly endsAt: number;
}

/**
 * How long a budget is kept after its period, in ms. The clock of a member may be behind the store's, and a
 * request may arrive in one period and ask in the next: neither has spent it. `redis/scripts` has the number too.
 */
export const BUDGET_KEPT_MS = 60_000;

export interface Budgets {
  /** @returns what was taken: from `least` to `wanted`, or 0. */
  takeBudget(block: BudgetBlock): Promise<number>;
  giveBackBudget(budget: string, amount: number): Promise<void>;
  /** The amount that is taken now. */
  takenBudget(budget: string): Promise<number>;
}
