/**
 * The requests that wait for a replica, in two orders at once.
 *
 * - The *timeline* has all of them by deadline. It knows what is promised.
 * - *Lines* say whose turn it is: one per tenant and lane, ordered by deadline and priority. A lane
 *   holds what may share a run, so requests of other shapes never meet in a batch.
 *
 *        tenant a   tenant b
 *   lane ┌────────┐ ┌────────┐   a turn goes to the tenant that has been served least for its
 *   :320 │ ■ ■ ■  │ │ ■      │   weight, and there to the earliest deadline; a priority level
 *        └────────┘ └────────┘   counts as half an objective of deadline
 *   lane ┌────────┐
 *   :480 │ ■ ■    │
 *        └────────┘
 *
 * Whose turn it is may differ from who is due; the scheduler gives turns only where that breaks no
 * promise. Nobody starves: a level moves a deadline by a fixed time, which waiting makes up for, and
 * a tenant that waits falls behind in service and so comes first.
 *
 * Shares are start-time fair queueing (Goyal et al. 1996): service divided by weight is a virtual
 * time, and a tenant that comes back starts at the present one, without credit for its absence.
 *
 * Enqueueing and leaving cost O(log n) in requests; finding a turn is linear in the tenants and
 * lanes that wait, which are few.
 */
import type { WeightOf } from '../tenant-weight.ts';
import type { Instant } from '../contract.ts';
import { ArrivalRate } from './arrival-rate.ts';
import type { LatencyCurve } from './latency-model.ts';
import { comesBefore, Line } from './line.ts';
import type { Ticket } from './ticket.ts';
import { Timeline } from './timeline.ts';

/** A tenant of mean weight may fill this many times the room that is free: 4/5 of the queue when nobody else does. */
const REACH = 4;
/** A tenant leaves room for others while another was seen within this time. */
const TENANT_MEMORY_MS = 60_000;
/** How often tenants are forgotten, and their weights looked up again. */
const REVIEW_EVERY_MS = 5_000;
/** Lanes that may be kept while they are empty. */
const SPARE_LANES = 256;
/** The level that moves nothing. */
export const MIDDLE_LEVEL = 3;

export interface Tenant<Cargo> {
  readonly name: string;
  /** Its share beside others; looked up again every few seconds. */
  weight: number;
  /** Service received, in milliseconds of one replica per weight. */
  virtualTime: number;
  requests: number;
  /** Waiting, in milliseconds of one replica. */
  work: number;
  lastSeenAt: Instant;
  readonly lines: Line<Cargo>[];
}

export interface Lane<Cargo> {
  readonly key: string;
  /** Whether its requests may share a run. */
  readonly batches: boolean;
  readonly curve: LatencyCurve;
  readonly arrivals: ArrivalRate;
  readonly lines: Line<Cargo>[];
  rows: number;
  requests: number;
  /** Waiting, in milliseconds of one replica. */
  work: number;
}

export interface QueueOptions {
  /** Share of a tenant among those that wait. */
  readonly weightOf: WeightOf;
  /** How much later a deadline one priority level is worth, in milliseconds. */
  readonly levelMs: number;
}

export class DeadlineQueue<Cargo> {
  readonly timeline = new Timeline<Cargo>();
  requests = 0;
  rows = 0;

  readonly #options: QueueOptions;
  readonly #tenants = new Map<string, Tenant<Cargo>>();
  readonly #lanes = new Map<string, Lane<Cargo>>();
  /** Virtual time of the tenant that was served last. */
  #virtualTime = 0;
  #reviewedAt: Instant = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** The tenant of this name, marked as seen. */
  tenant(name: string, now: Instant): Tenant<Cargo> {
    if (now - this.#reviewedAt > REVIEW_EVERY_MS) this.#review(now);
    let tenant = this.#tenants.get(name);
    if (tenant === undefined) {
      const weight = this.#options.weightOf(name);
      tenant = { name, weight, virtualTime: 0, requests: 0, work: 0, lastSeenAt: now, lines: [] };
      this.#tenants.set(name, tenant);
    }
    tenant.lastSeenAt = now;
    return tenant;
  }

  /** How many times the room that is free a tenant may fill; Infinity while no other was seen lately. */
  reachOf(tenant: Tenant<Cargo>): number {
    const count = this.#tenants.size;
    if (count === 1) return Infinity;
    let total = 0;
    for (const { weight } of this.#tenants.values()) total += weight;
    return (REACH * tenant.weight * count) / total;
  }

  lane(key: string): Lane<Cargo> | undefined {
    return this.#lanes.get(key);
  }

  /** @param batches whether its requests may share a run. */
  addLane(key: string, batches: boolean, curve: LatencyCurve): Lane<Cargo> {
    if (this.#lanes.size >= SPARE_LANES) this.#dropEmptyLanes();
    const arrivals = new ArrivalRate();
    const lane = { key, batches, curve, arrivals, lines: [], rows: 0, requests: 0, work: 0 };
    this.#lanes.set(key, lane);
    return lane;
  }

  push(ticket: Ticket<Cargo>): void {
    const { tenant, lane } = ticket;
    if (tenant.requests === 0) {
      tenant.virtualTime = Math.max(tenant.virtualTime, this.#virtualTime);
    }
    ticket.turn = ticket.deadline + (ticket.level - MIDDLE_LEVEL) * this.#options.levelMs;
    this.timeline.insert(ticket);
    lineOf(tenant, lane).push(ticket);
    this.#count(ticket, 1);
  }

  /** Takes a ticket out, wherever it stands. */
  remove(ticket: Ticket<Cargo>): void {
    this.timeline.remove(ticket);
    ticket.line!.remove(ticket);
    this.#count(ticket, -1);
  }

  /** Changes what a waiting ticket costs. */
  reprice(ticket: Ticket<Cargo>, work: number): void {
    ticket.tenant.work += work - ticket.work;
    ticket.lane.work += work - ticket.work;
    this.timeline.reprice(ticket, work);
  }

  /** Everything that waits costs `ratio` times what was thought. */
  scale(ratio: number): void {
    this.timeline.scale(ratio);
    for (const tenant of this.#tenants.values()) tenant.work *= ratio;
    for (const lane of this.#lanes.values()) lane.work *= ratio;
  }

  /**
   * Books service to a tenant when it is given.
   * @param work in milliseconds of one replica, as estimated now: two tenants that are served in turn
   *   pay the same, however long ago their requests came.
   */
  charge(tenant: Tenant<Cargo>, work: number): void {
    this.#virtualTime = Math.max(this.#virtualTime, tenant.virtualTime);
    tenant.virtualTime += work / tenant.weight;
  }

  /** Whose turn it is over all lanes. */
  next(): Ticket<Cargo> | undefined {
    if (this.requests === 0) return undefined;
    let served: Tenant<Cargo> | undefined;
    for (const tenant of this.#tenants.values()) {
      if (
        tenant.requests > 0 &&
        (served === undefined || tenant.virtualTime < served.virtualTime)
      ) {
        served = tenant;
      }
    }
    let next: Ticket<Cargo> | undefined;
    for (const { head } of served!.lines) {
      if (head !== undefined && (next === undefined || comesBefore(head, next))) next = head;
    }
    return next;
  }

  /** Whose turn it is within one lane. */
  nextIn(lane: Lane<Cargo>): Ticket<Cargo> | undefined {
    let next: Ticket<Cargo> | undefined;
    for (const { tenant, head } of lane.lines) {
      if (head === undefined) continue;
      if (next === undefined || tenant.virtualTime < next.tenant.virtualTime) next = head;
    }
    return next;
  }

  /** The request of a lane that is due first, among the first ones of its lines. */
  dueIn(lane: Lane<Cargo>): Ticket<Cargo> | undefined {
    let due: Ticket<Cargo> | undefined;
    for (const { head } of lane.lines) {
      if (head !== undefined && (due === undefined || head.deadline < due.deadline)) due = head;
    }
    return due;
  }

  #count({ tenant, lane, rows, work }: Ticket<Cargo>, sign: 1 | -1): void {
    this.requests += sign;
    this.rows += sign * rows;
    tenant.requests += sign;
    // Sums of fractions drift; an empty queue is exactly empty.
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
      for (const line of tenant.lines) removeFrom(line.lane.lines, line);
    }
  }

  #dropEmptyLanes(): void {
    for (const lane of this.#lanes.values()) {
      if (lane.requests > 0) continue;
      this.#lanes.delete(lane.key);
      for (const line of lane.lines) removeFrom(line.tenant.lines, line);
    }
  }
}

function lineOf<Cargo>(tenant: Tenant<Cargo>, lane: Lane<Cargo>): Line<Cargo> {
  for (const line of lane.lines) if (line.tenant === tenant) return line;
  const line = new Line(tenant, lane);
  lane.lines.push(line);
  tenant.lines.push(line);
  return line;
}

function removeFrom<Item>(items: Item[], item: Item): void {
  const index = items.indexOf(item);
  if (index >= 0) items.splice(index, 1);
}
