/**
 * A resource of the node that its tenants share, such as the bytes of bodies in flight or the open
 * event streams. Each use is taken before it is spent and given back when it is over.
 *
 * A tenant may hold its share of the amount that the other tenants leave free: half of it with the
 * weight 1. So n busy tenants get 1/(n+1) of the budget each, and there is always memory for one more
 * tenant. The price is that a single tenant cannot use the whole budget. On a node without keys
 * there is one tenant with the share 1, which can.
 *
 * Follows "Dynamic queue length thresholds for shared-memory packet switches" (Choudhury and Hahne,
 * IEEE/ACM Transactions on Networking, 1998).
 */
import type { SkeinError } from './errors.ts';

/** The part of what other tenants leave free that a tenant may hold; above 0, at most 1. */
export type ShareOf = (tenant: string) => number;

/** Why an amount was refused, for the text of the error. */
export interface BudgetExcess {
  readonly tenant: string;
  readonly amount: number;
  readonly heldByTenant: number;
  /** The tenant's current limit. */
  readonly tenantLimit: number;
  readonly held: number;
  readonly max: number;
}

export interface BudgetUsage {
  readonly name: string;
  readonly unit: BudgetUnit;
  readonly held: number;
  /** The tenant's current limit; it depends on the amounts that other tenants hold. */
  readonly limit: number;
}

export type BudgetUnit = 'bytes' | 'count';

export interface BudgetOptions {
  /** The name in the API and the metrics: `bodies`, `event_streams`. */
  readonly name: string;
  readonly unit: BudgetUnit;
  /** Bound of all tenants together. */
  readonly max: number;
  /** Default: one tenant may hold the whole budget. */
  readonly shareOf?: ShareOf;
  /** The error of the table that a refused amount becomes. */
  readonly refuse: (excess: BudgetExcess) => SkeinError;
}

/** Part of a budget above which a share counts as much. With a 64th, 16 callers with bodies of 8 MiB were answered at 0.72 of the rate. */
const MUCH_PARTS = 16;

const EVERYTHING: ShareOf = () => 1;

export class SharedBudget {
  readonly name: string;
  readonly unit: BudgetUnit;
  readonly max: number;
  /** Held by all tenants together. */
  held = 0;
  readonly #byTenant = new Map<string, number>();
  readonly #shareOf: ShareOf;
  readonly #refuse: (excess: BudgetExcess) => SkeinError;

  constructor({ name, unit, max, shareOf = EVERYTHING, refuse }: BudgetOptions) {
    this.name = name;
    this.unit = unit;
    this.max = max;
    this.#shareOf = shareOf;
    this.#refuse = refuse;
  }

  /** The hold of one request or one stream; empty at first. */
  hold(tenant: string): BudgetHold {
    return new BudgetHold(this, tenant);
  }

  heldBy(tenant: string): number {
    return this.#byTenant.get(tenant) ?? 0;
  }

  /** The current limit of a tenant. */
  limitOf(tenant: string): number {
    const others = this.held - this.heldBy(tenant);
    return Math.floor(this.#shareOf(tenant) * Math.max(0, this.max - others));
  }

  usageOf(tenant: string): BudgetUsage {
    const { name, unit } = this;
    return { name, unit, held: this.heldBy(tenant), limit: this.limitOf(tenant) };
  }

  /** Tenants that hold a part of the budget now. */
  tenants(): Iterable<string> {
    return this.#byTenant.keys();
  }

  /** Checks whether an amount fits now. @throws the error of the budget. */
  check(tenant: string, amount: number): void {
    const heldByTenant = this.heldBy(tenant);
    const tenantLimit = this.limitOf(tenant);
    if (heldByTenant + amount <= tenantLimit) return;
    const { held, max } = this;
    throw this.#refuse({ tenant, amount, heldByTenant, tenantLimit, held, max });
  }

  /** @throws the error of the budget; no amount is taken then. */
  take(tenant: string, amount: number): void {
    // Nothing always fits: what is held may be above a share that has become smaller.
    if (amount === 0) return;
    this.check(tenant, amount);
    this.restore(tenant, amount);
  }

  /** Counts an amount that is held already, such as before a restart, whatever the limit is now. */
  restore(tenant: string, amount: number): void {
    this.held += amount;
    this.#byTenant.set(tenant, this.heldBy(tenant) + amount);
  }

  give(tenant: string, amount: number): void {
    const rest = this.heldBy(tenant) - amount;
    this.held -= amount;
    if (rest > 0) this.#byTenant.set(tenant, rest);
    else this.#byTenant.delete(tenant);
  }
}

/** The part of a budget that one request, or one stream of requests, holds. */
export class BudgetHold {
  readonly #budget: SharedBudget;
  readonly tenant: string;
  #amount = 0;

  constructor(budget: SharedBudget, tenant: string) {
    this.#budget = budget;
    this.tenant = tenant;
  }

  /** Counts bytes that have arrived. @throws the error of the budget; they are not counted then. */
  take(amount: number): void {
    this.#budget.take(this.tenant, amount);
    this.#amount += amount;
  }

  /** Counts what is there already, whatever the limit is. */
  restore(amount: number): void {
    this.#budget.restore(this.tenant, amount);
    this.#amount += amount;
  }

  /** Checks whether an announced amount would fit now. @throws the error of the budget. */
  check(amount: number): void {
    this.#budget.check(this.tenant, amount);
  }

  /**
   * Checks whether an answer of this request would fit. A tenant that holds nothing else may have any answer: it
   * could never get one above its limit otherwise.
   * @throws the error of the budget.
   */
  checkAnswer(amount: number): void {
    if (this.#budget.heldBy(this.tenant) > this.#amount) this.check(amount);
  }

  /** Whether all tenants together hold much of the budget. */
  get isMuchHeld(): boolean {
    return this.#budget.held > this.#budget.max / MUCH_PARTS;
  }

  /** Gives back a part, at most what is held. */
  give(amount: number): void {
    const given = Math.min(amount, this.#amount);
    if (given === 0) return;
    this.#amount -= given;
    this.#budget.give(this.tenant, given);
  }

  /** Gives back everything. Idempotent. */
  release(): void {
    this.give(this.#amount);
  }
}
