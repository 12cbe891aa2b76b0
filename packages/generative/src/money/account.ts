/**
 * One budget in one period, as this process spends it: a block that was taken from the store, of
 * which requests reserve their worst case without asking the store again.
 *
 *   limit ≥ Σ over members (reserved + spent + free)
 *
 * What is free beyond a block goes back when a request is settled: the worst case of one may be most of
 * the budget, which others would find spent, and which would be lost with a member that is killed. An
 * idle member gives all of its free part back, so that the last cents of a budget can be spent anywhere.
 */
import type { Budgets } from '@skein/state';

/** A block is this part of the limit: a request of a busy member asks the store rarely. */
const BLOCK = 1 / 64;

export interface Account {
  readonly name: string;
  readonly endsAt: number;
  /** Reserves without waiting, if the block has enough. */
  tryReserve(amount: number): boolean;
  /** Takes more of the budget. @returns false: less than the amount is left of it. */
  refill(amount: number): Promise<boolean>;
  /** Replaces what was reserved by what was spent. */
  settle(reserved: number, spent: number): void;
  /** Gives back what is free; takes what was spent past the reserved worst cases, as far as the budget has it. */
  giveBack(): Promise<void>;
}

export function createAccount(
  store: Budgets,
  name: string,
  limit: number,
  endsAt: number,
): Account {
  const block = Math.ceil(limit * BLOCK);
  let free = 0;
  let refilling: Promise<boolean> | undefined;

  async function take(amount: number): Promise<boolean> {
    const least = amount - free;
    if (least <= 0) return true;
    const wanted = Math.max(least, block);
    const taken = await store.takeBudget({ budget: name, limit, wanted, least, endsAt });
    free += taken;
    return taken > 0;
  }

  return {
    name,
    endsAt,
    tryReserve(amount) {
      if (free < amount) return false;
      free -= amount;
      return true;
    },
    async refill(amount) {
      // The amount that another request is taking may be enough for both.
      if (refilling !== undefined) return (await refilling.catch(() => true)) || take(amount);
      refilling = take(amount).finally(() => (refilling = undefined));
      return refilling;
    },
    settle(reserved, spent) {
      // Below 0 when a provider counted more than the worst case: the next block makes up for it.
      free += reserved - spent;
      const beyond = free - block;
      if (beyond <= 0) return;
      free = block;
      // While the store is away it stays here, for the next request or the sweep.
      store.giveBackBudget(name, beyond).catch(() => (free += beyond));
    },
    async giveBack() {
      const amount = free;
      if (amount === 0) return;
      free = 0;
      if (amount > 0) return store.giveBackBudget(name, amount);
      const wanted = -amount;
      const taken = await store
        .takeBudget({ budget: name, limit, wanted, least: 1, endsAt })
        .catch(() => 0);
      free += taken - wanted;
    },
  };
}
