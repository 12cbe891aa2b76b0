/**
 * The requests that wait for a worker of a composition, by the same rules as those that wait for a
 * replica, see `dispatch/deadline-queue.ts`: the tenant with the least service per weight is served
 * next, with its earliest deadline, which a priority level moves by half an objective.
 *
 * Every request counts the same: the deployments that a composition calls carry its cost, and share
 * it between tenants by work.
 */
import type { WeightOf } from '../dispatch/queue/deadline-queue.ts';
import type { Instant } from '../contract.ts';
import { levelOf } from '../dispatch/policy/admission.ts';
import { DeadlineQueue } from '../dispatch/queue/deadline-queue.ts';
import { LatencyModel } from '../dispatch/cost/latency-model.ts';
import { Ticket, type Lane } from '../dispatch/queue/ticket.ts';
import type { CompositionRun } from './composition-run.ts';

/** Shift of the deadline per priority level, as a fraction of the objective. */
const LEVEL = 0.5;
/** Service that one request counts as. */
const TURN = 1;

export interface CompositionQueueOptions {
  /** Largest number of queued requests. */
  readonly maxRequests: number;
  readonly objectiveMs: number;
  readonly weightOf: WeightOf;
}

export class CompositionQueue {
  readonly #maxRequests: number;
  readonly #queue: DeadlineQueue<CompositionRun>;
  /** Compositions are not batched: one lane, whose latency curve is not used. */
  readonly #lane: Lane<CompositionRun>;
  readonly #tickets = new Map<CompositionRun, Ticket<CompositionRun>>();

  constructor({ maxRequests, objectiveMs, weightOf }: CompositionQueueOptions) {
    this.#maxRequests = maxRequests;
    this.#queue = new DeadlineQueue({ weightOf, levelMs: objectiveMs * LEVEL });
    this.#lane = this.#queue.addLane('', false, new LatencyModel().curve([1]));
  }

  get length(): number {
    return this.#queue.requests;
  }

  /** Queued requests of a tenant, if it may not add one; undefined if it may. */
  full(tenant: string, now: Instant): number | undefined {
    const queue = this.#queue;
    const { requests } = queue.tenant(tenant, now);
    const free = this.#maxRequests - queue.requests;
    const reach = queue.reachOf(queue.tenant(tenant, now));
    return free <= 0 || requests > free * reach ? requests : undefined;
  }

  push(run: CompositionRun, now: Instant): void {
    const { tenant, deadline, priority } = run.request;
    const level = levelOf(priority);
    const held = this.#queue.tenant(tenant, now);
    const ticket = new Ticket(run, this.#lane, held, 1, deadline, level);
    ticket.enqueuedAt = now;
    this.#tickets.set(run, ticket);
    this.#queue.push(ticket);
  }

  /** The next run. */
  get first(): CompositionRun | undefined {
    return this.#queue.next()?.payload;
  }

  /** Removes the next run from the queue and counts it as served. */
  shift(): CompositionRun | undefined {
    const ticket = this.#queue.next();
    if (ticket === undefined) return undefined;
    this.#queue.charge(ticket.tenant, TURN);
    this.remove(ticket.payload);
    return ticket.payload;
  }

  /** @returns whether it was queued. */
  remove(run: CompositionRun): boolean {
    const ticket = this.#tickets.get(run);
    if (ticket === undefined) return false;
    this.#tickets.delete(run);
    this.#queue.remove(ticket);
    return true;
  }
}
