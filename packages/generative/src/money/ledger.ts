/**
 * Reserves the worst case of a request in every budget that counts it, before it is sent, and
 * settles it with what was spent. All of its budgets have enough, or none is touched.
 */
import type { LanguageBudget } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import type { Budgets } from '@skein/state';
import type { Caller } from '../contract.ts';
import { createAccount, type Account } from './account.ts';
import { NANO_DOLLARS } from './price.ts';

export interface Amounts {
  readonly nanoDollars: number;
  readonly tokens: number;
}

export interface Reservation {
  readonly worst: Amounts;
  /** Once; further calls do nothing. */
  settle(spent: Amounts): void;
}

export interface BudgetStanding {
  readonly subject: string;
  readonly period: LanguageBudget['period'];
  readonly unit: 'usd' | 'tokens';
  readonly limit: number;
  /** Spent, reserved, or held by a member for its next requests. */
  readonly taken: number;
}

/** Who pays: a caller, or the operator for what the node sends of its own accord. */
export type Payer = Pick<Caller, 'tenant' | 'key'> | 'operator';

export const payerOf = (caller: Caller): Payer => caller.payer ?? caller;

export interface Ledger {
  /** Whether a budget counts the payer. */
  counts(payer: Payer): boolean;
  /** @throws SkeinError BUDGET_SPENT; STORE_UNREACHABLE, because a budget that cannot be asked holds. */
  reserve(payer: Payer, worst: Amounts): Promise<Reservation>;
  standings(): Promise<BudgetStanding[]>;
  close(): Promise<void>;
}

/** A block that no request has touched for so long goes back, in milliseconds. */
const IDLE_MS = 5000;

interface Line {
  readonly budget: LanguageBudget;
  readonly unit: keyof Amounts;
  /** In the unit. */
  readonly limit: number;
}

interface Held {
  readonly account: Account;
  usedAt: number;
}

export function openLedger(
  budgets: readonly LanguageBudget[],
  store: Budgets,
  wallClock: () => number = Date.now,
): Ledger {
  const lines: Line[] = budgets.flatMap((budget) => [
    ...(budget.usd === undefined
      ? []
      : [{ budget, unit: 'nanoDollars' as const, limit: Math.floor(budget.usd * NANO_DOLLARS) }]),
    ...(budget.tokens === undefined
      ? []
      : [{ budget, unit: 'tokens' as const, limit: budget.tokens }]),
  ]);
  const held = new Map<string, Held>();
  let isClosed = false;

  const nameOf = ({ budget, unit }: Line, period: string): string =>
    `${budget.subject} ${unit} ${budget.period} ${period}`;

  function accountOf(line: Line): Account {
    const now = wallClock();
    const period = periodAt(line.budget.period, now);
    const name = nameOf(line, period.name);
    let found = held.get(name);
    if (found === undefined) {
      const account = createAccount(store, name, line.limit, period.endsAt);
      held.set(name, (found = { account, usedAt: now }));
    }
    found.usedAt = now;
    return found.account;
  }

  function spent(line: Line, { endsAt }: Account, worst: Amounts): SkeinError {
    const { subject, period } = line.budget;
    const amount =
      line.unit === 'tokens'
        ? `${worst.tokens} tokens`
        : `$${(worst.nanoDollars / NANO_DOLLARS).toFixed(6)}`;
    return new SkeinError(
      'BUDGET_SPENT',
      `The request may take ${amount}, more than is left of the budget of ${subject} for the ${period}.`,
      { retryAfterMs: Math.max(1, endsAt - wallClock()) },
    );
  }

  async function sweep(isClosing: boolean): Promise<void> {
    const now = wallClock();
    for (const [name, { account, usedAt }] of held) {
      if (!isClosing && now - usedAt < IDLE_MS) continue;
      if (account.endsAt <= now) held.delete(name);
      else await account.giveBack().catch(() => {});
    }
  }
  const timer = lines.length === 0 ? undefined : setInterval(() => void sweep(false), IDLE_MS);
  timer?.unref();

  function linesOf(payer: Payer): Line[] {
    const subjects =
      payer === 'operator'
        ? ['all', payer]
        : [
            'all',
            `tenant:${payer.tenant}`,
            ...(payer.key === undefined ? [] : [`key:${payer.key}`]),
          ];
    return lines.filter(({ budget: { subject } }) => subjects.includes(subject));
  }

  return {
    counts: (payer) => linesOf(payer).length > 0,
    async reserve(payer, worst) {
      const mine = linesOf(payer);
      const reserved: { readonly account: Account; readonly amount: number }[] = [];
      for (const line of mine) {
        const account = accountOf(line);
        const amount = worst[line.unit];
        while (!account.tryReserve(amount)) {
          const isFilled = await account.refill(amount).catch((error: unknown) => {
            for (const each of reserved) each.account.settle(each.amount, 0);
            throw error;
          });
          if (isFilled) continue;
          for (const each of reserved) each.account.settle(each.amount, 0);
          throw spent(line, account, worst);
        }
        reserved.push({ account, amount });
      }
      let isSettled = false;
      return {
        worst,
        settle(amounts) {
          if (isSettled) return;
          isSettled = true;
          mine.forEach(({ unit }, index) => {
            const { account, amount } = reserved[index]!;
            account.settle(amount, amounts[unit]);
            // No sweep comes after the last one.
            if (isClosed) void account.giveBack().catch(() => {});
          });
        },
      };
    },
    async standings() {
      const now = wallClock();
      return Promise.all(
        lines.map(async (line) => {
          const scale = line.unit === 'tokens' ? 1 : NANO_DOLLARS;
          const taken = await store.takenBudget(
            nameOf(line, periodAt(line.budget.period, now).name),
          );
          return {
            subject: line.budget.subject,
            period: line.budget.period,
            unit: line.unit === 'tokens' ? ('tokens' as const) : ('usd' as const),
            limit: line.limit / scale,
            taken: taken / scale,
          };
        }),
      );
    },
    async close() {
      clearInterval(timer);
      isClosed = true;
      await sweep(true);
    },
  };
}

interface Period {
  /** Name of the period, as in `2030-01-31`. */
  readonly name: string;
  /** Ms since the epoch. */
  readonly endsAt: number;
}

/** Periods begin at full minutes, days and months in UTC. */
export function periodAt(kind: LanguageBudget['period'], now: number): Period {
  const date = new Date(now);
  const iso = date.toISOString();
  switch (kind) {
    case 'minute':
      return { name: iso.slice(0, 16), endsAt: (Math.floor(now / 60_000) + 1) * 60_000 };
    case 'day':
      return { name: iso.slice(0, 10), endsAt: (Math.floor(now / 86_400_000) + 1) * 86_400_000 };
    case 'month':
      return {
        name: iso.slice(0, 7),
        endsAt: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1),
      };
  }
}
