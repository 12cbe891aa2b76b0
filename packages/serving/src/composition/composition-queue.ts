/**
 * The requests that wait for a worker of a composition: by the same rules as those that wait for a
 * replica, see `dispatch/deadline-queue.ts`. A turn goes to the tenant that has had the fewest for its
 * weight, and there to the earliest deadline, which a priority level moves by half an objective.
 *
 * Every request counts the same: what a composition costs is borne by the deployments that it calls,
 * which share it out by work.
 */
import type { WeightOf } from '../tenant-weight.ts';
import type { Instant } from '../contract.ts';
import { levelOf } from '../dispatch/admission.ts';
import { DeadlineQueue, type Lane } from '../dispatch/deadline-queue.ts';
import { LatencyModel } from '../dispatch/latency-model.ts';
import { Ticket } from '../dispatch/ticket.ts';
import type { CompositionRun } from './composition-run.ts';

/** What a priority level is worth in deadline, as a part of the objective. */
const LEVEL = 0.5;
/** Service that one turn counts as. */
const TURN = 1;

export interface CompositionQueueOptions {
  /** Requests that may wait. */
  readonly maxRequests: number;
  readonly objectiveMs: number;
  readonly weightOf: WeightOf;
}

export class CompositionQueue {
  readonly #maxRequests: number;
  readonly #queue: DeadlineQueue<CompositionRun>;
  /** Compositions are not batched: one lane, whose curve nobody asks. */
  readonly #lane: Lane<CompositionRun>;
  readonly #tickets = new Map<CompositionRun, Ticket<CompositionRun>>();

  constructor({ maxRequests, objectiveMs, weightOf }: CompositionQueueOptions) {
    this.#maxRequests = maxRequests;
    this.#queue = new DeadlineQueue({ weightOf, levelMs: objectiveMs * LEVEL });
    this.#lane = this.#queue.addLane('', false, new LatencyModel().curve(1));
  }

  get length(): number {
    return this.#queue.requests;
  }

  /** Requests of a tenant that wait, when it may not add one; undefined when it may. */
  full(tenant: string, now: Instant): number | undefined {
    const queue = this.#queue;
    const { requests } = queue.tenant(tenant, now);
    const room = this.#maxRequests - queue.requests;
    const reach = queue.reachOf(queue.tenant(tenant, now));
    return room <= 0 || requests > room * reach ? requests : undefined;
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

  /** Whose turn it is. */
  get first(): CompositionRun | undefined {
    return this.#queue.next()?.cargo;
  }

  /** Takes the run whose turn it is, and counts it as served. */
  shift(): CompositionRun | undefined {
    const ticket = this.#queue.next();
    if (ticket === undefined) return undefined;
    this.#queue.charge(ticket.tenant, TURN);
    this.remove(ticket.cargo);
    return ticket.cargo;
  }

  /** @returns whether it waited. */
  remove(run: CompositionRun): boolean {
    const ticket = this.#tickets.get(run);
    if (ticket === undefined) return false;
    this.#tickets.delete(run);
    this.#queue.remove(ticket);
    return true;
  }
}
