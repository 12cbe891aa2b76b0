/**
 * The requests that wait for a replica, in two orders at once.
 *
 * - The *timeline* has all of them by deadline. It holds the promises.
 * - The *tenant queues* define the fair order: one per tenant and lane, ordered by deadline and
 *   priority. A lane holds requests that may share a run, so requests of different shapes never
 *   share a batch.
 *
 *        tenant a   tenant b
 *   lane ┌────────┐ ┌────────┐   next is the tenant with the least service per weight, and its
 *   :320 │ ■ ■ ■  │ │ ■      │   earliest deadline; a priority level counts as half an objective
 *        └────────┘ └────────┘   of deadline
 *   lane ┌────────┐
 *   :480 │ ■ ■    │
 *        └────────┘
 *
 * The fair order may differ from the order of deadlines; the scheduler follows it only if that
 * breaks no promise. No request starves: a level moves a deadline by a fixed time, which waiting
 * makes up for, and a waiting tenant falls behind in service and is therefore served next.
 *
 * Shares are start-time fair queueing (Goyal et al. 1996): service divided by weight is a virtual
 * time, and a tenant that returns starts at the current one, without credit for its absence.
 *
 * Adding and removing cost O(log n) in requests; finding the next request is linear in the tenants
 * and lanes with queued requests, which are few.
 */
import type { Instant } from '../../contract.ts';
import { ArrivalRate } from './arrival-rate.ts';
import type { LatencyCurve } from '../cost/latency-curve.ts';
import { type Ticket, comesBefore, TenantQueue, type Lane, type Tenant } from './ticket.ts';
import { Timeline } from './timeline.ts';
import { tuning } from '../tuning.ts';

/** Share of a tenant in proportion to other tenants; 1 by default. */
export type WeightOf = (tenant: string) => number;

/** A tenant leaves free time while another was seen within this time. */
const TENANT_MEMORY_MS = 60_000;
/** How often idle tenants are removed, and weights are read again. */
const REVIEW_EVERY_MS = 5_000;
/** Empty lanes that may be kept. */
const SPARE_LANES = 256;
/** The level that does not move the deadline. */
export const MIDDLE_LEVEL = 3;

export interface QueueOptions {
  /** Weight of a tenant. */
  readonly weightOf: WeightOf;
  /** Shift of a deadline per priority level, in milliseconds. */
  readonly levelMs: number;
}

export class DeadlineQueue<Payload> {
  readonly timeline = new Timeline<Payload>();
  requests = 0;
  rows = 0;
  /** Queued probes: see `Scheduler.offer`. */
  probes = 0;

  readonly #options: QueueOptions;
  readonly #tenants = new Map<string, Tenant<Payload>>();
  readonly #lanes = new Map<string, Lane<Payload>>();
  /** Virtual time of the tenant that was served last. */
  #virtualTime = 0;
  #reviewedAt: Instant = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** The tenant with this name, marked as seen. */
  tenant(name: string, now: Instant): Tenant<Payload> {
    if (now - this.#reviewedAt > REVIEW_EVERY_MS) this.#review(now);
    let tenant = this.#tenants.get(name);
    if (tenant === undefined) {
      const weight = this.#options.weightOf(name);
      tenant = {
        name,
        weight,
        virtualTime: 0,
        requests: 0,
        work: 0,
        lastSeenAt: now,
        tenantQueues: [],
      };
      this.#tenants.set(name, tenant);
    }
    tenant.lastSeenAt = now;
    return tenant;
  }

  /** How many times the free time a tenant may fill; Infinity if no other was seen recently. */
  reachOf(tenant: Tenant<Payload>): number {
    const count = this.#tenants.size;
    if (count === 1) return Infinity;
    let total = 0;
    for (const { weight } of this.#tenants.values()) total += weight;
    return (tuning.tenantReach * tenant.weight * count) / total;
  }

  lane(key: string): Lane<Payload> | undefined {
    return this.#lanes.get(key);
  }

  /** @param batches whether its requests may share a run. */
  addLane(key: string, batches: boolean, curve: LatencyCurve): Lane<Payload> {
    if (this.#lanes.size >= SPARE_LANES) this.#dropEmptyLanes();
    const arrivals = new ArrivalRate();
    const lane = { key, batches, curve, arrivals, tenantQueues: [], rows: 0, requests: 0, work: 0 };
    this.#lanes.set(key, lane);
    return lane;
  }

  push(ticket: Ticket<Payload>): void {
    const { tenant, lane } = ticket;
    if (tenant.requests === 0) {
      tenant.virtualTime = Math.max(tenant.virtualTime, this.#virtualTime);
    }
    ticket.effectiveDeadline =
      ticket.deadline + (ticket.level - MIDDLE_LEVEL) * this.#options.levelMs;
    this.timeline.insert(ticket);
    tenantQueueOf(tenant, lane).push(ticket);
    this.#count(ticket, 1);
  }

  /** Removes a ticket from any position. */
  remove(ticket: Ticket<Payload>): void {
    this.timeline.remove(ticket);
    ticket.tenantQueue!.remove(ticket);
    this.#count(ticket, -1);
  }

  /** Changes the cost of a queued ticket. */
  reprice(ticket: Ticket<Payload>, work: number): void {
    ticket.tenant.work += work - ticket.work;
    ticket.lane.work += work - ticket.work;
    this.timeline.reprice(ticket, work);
  }

  /** Scales the cost of all queued tickets by `ratio`. */
  scale(ratio: number): void {
    this.timeline.scale(ratio);
    for (const tenant of this.#tenants.values()) tenant.work *= ratio;
    for (const lane of this.#lanes.values()) lane.work *= ratio;
  }

  /**
   * Charges a tenant for service when it is given.
   * @param work in milliseconds of one replica, by the current estimate: two tenants that are
   *   served
   *   alternately pay the same, however long ago their requests arrived.
   */
  charge(tenant: Tenant<Payload>, work: number): void {
    this.#virtualTime = Math.max(this.#virtualTime, tenant.virtualTime);
    tenant.virtualTime += work / tenant.weight;
  }

  /** The next ticket in fair order over all lanes. */
  next(): Ticket<Payload> | undefined {
    if (this.requests === 0) return undefined;
    let served: Tenant<Payload> | undefined;
    for (const tenant of this.#tenants.values()) {
      if (
        tenant.requests > 0 &&
        (served === undefined || tenant.virtualTime < served.virtualTime)
      ) {
        served = tenant;
      }
    }
    let next: Ticket<Payload> | undefined;
    for (const { head } of served!.tenantQueues) {
      if (head !== undefined && (next === undefined || comesBefore(head, next))) next = head;
    }
    return next;
  }

  /** The next ticket in fair order within one lane. */
  nextIn(lane: Lane<Payload>): Ticket<Payload> | undefined {
    let next: Ticket<Payload> | undefined;
    for (const { tenant, head } of lane.tenantQueues) {
      if (head === undefined) continue;
      if (next === undefined || tenant.virtualTime < next.tenant.virtualTime) next = head;
    }
    return next;
  }

  /** The ticket of a lane with the earliest deadline, among the heads of its tenant queues. */
  dueIn(lane: Lane<Payload>): Ticket<Payload> | undefined {
    let due: Ticket<Payload> | undefined;
    for (const { head } of lane.tenantQueues) {
      if (head !== undefined && (due === undefined || head.deadline < due.deadline)) due = head;
    }
    return due;
  }

  #count({ tenant, lane, rows, work, isProbe }: Ticket<Payload>, sign: 1 | -1): void {
    this.requests += sign;
    this.rows += sign * rows;
    if (isProbe) this.probes += sign;
    tenant.requests += sign;
    // Sums of fractions drift; an empty queue has exactly no work.
    tenant.work = tenant.requests === 0 ? 0 : tenant.work + sign * work;
    lane.requests += sign;
    lane.rows += sign * rows;
    lane.work = lane.requests === 0 ? 0 : lane.work + sign * work;
  }

  #review(now: Instant): void {
    this.#reviewedAt = now;
    for (const tenant of this.#tenants.values()) {
      tenant.weight = this.#options.weightOf(tenant.name);
      if (tenant.requests > 0 || now - tenant.lastSeenAt < TENANT_MEMORY_MS) continue;
      this.#tenants.delete(tenant.name);
      for (const tenantQueue of tenant.tenantQueues)
        removeFrom(tenantQueue.lane.tenantQueues, tenantQueue);
    }
  }

  #dropEmptyLanes(): void {
    for (const lane of this.#lanes.values()) {
      if (lane.requests > 0) continue;
      this.#lanes.delete(lane.key);
      for (const tenantQueue of lane.tenantQueues)
        removeFrom(tenantQueue.tenant.tenantQueues, tenantQueue);
    }
  }
}

function tenantQueueOf<Payload>(
  tenant: Tenant<Payload>,
  lane: Lane<Payload>,
): TenantQueue<Payload> {
  for (const tenantQueue of lane.tenantQueues)
    if (tenantQueue.tenant === tenant) return tenantQueue;
  const tenantQueue = new TenantQueue(tenant, lane);
  lane.tenantQueues.push(tenantQueue);
  tenant.tenantQueues.push(tenantQueue);
  return tenantQueue;
}

function removeFrom<Item>(items: Item[], item: Item): void {
  const index = items.indexOf(item);
  if (index >= 0) items.splice(index, 1);
}
