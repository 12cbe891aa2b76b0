/**
 * The run that a replica begins the moment its current one has ended. It would idle until this thread has read the
 * result and sent the next run: for 0.2 ms after each run of 0.4 ms.
 *
 * Only requests that run next whatever else arrives are prepared: all that wait, where one run of the only replica
 * takes them. They stay in the queue until it begins, so that prices and promises equal any queue's. A request
 * that changes this withdraws the run, unless it has begun.
 *
 * As many rows as run are waited for: smaller runs would cost more than the replica idles.
 */
import type { PreparedRun } from '@skein/runtime';
import type { Instant } from '../../contract.ts';
import type { Ticket } from '../queue/ticket.ts';
import type { Scheduler } from '../policy/scheduler.ts';
import type { Pending } from './pending.ts';
import type { Replica } from './replica.ts';

interface Prepared {
  readonly replica: Replica;
  readonly run: PreparedRun;
  readonly tickets: Ticket<Pending>[];
}

export class PreparedBatch {
  readonly #scheduler: Scheduler<Pending>;
  readonly #outputs: number;
  #prepared: Prepared | undefined;

  /** @param outputs of the model. */
  constructor(scheduler: Scheduler<Pending>, outputs: number) {
    this.#scheduler = scheduler;
    this.#outputs = outputs;
  }

  /** To be called when a request is queued while all replicas run. */
  add(ticket: Ticket<Pending>, now: Instant): void {
    const { lane, payload } = ticket;
    if (!this.#takesAllOutputs(ticket) || !this.#scheduler.runsAllNext(lane, now)) this.withdraw();
    else if (this.#prepared === undefined) this.#prepare(lane);
    else if (this.#prepared.run.add(payload.request.inputs)) this.#prepared.tickets.push(ticket);
  }

  #prepare({ rows, tenantQueues }: Ticket<Pending>['lane']): void {
    const replica = this.#scheduler.servers.list[0] as Replica;
    if (rows < replica.rows) return;
    const waiting = tenantQueues.flatMap(({ tickets }) => tickets);
    if (!waiting.every((ticket) => this.#takesAllOutputs(ticket))) return;
    const [first, ...others] = waiting as [Ticket<Pending>, ...Ticket<Pending>[]];
    const run = replica.prepare(first.payload.request.inputs);
    if (run === undefined) return;
    // Awaited when it begins. A failure before that is one of the session, which the replica reports.
    run.result.catch(() => undefined);
    const tickets = [first];
    for (const ticket of others) {
      if (!run.add(ticket.payload.request.inputs)) break;
      tickets.push(ticket);
    }
    this.#prepared = { replica, run, tickets };
  }

  #takesAllOutputs({ payload: { request } }: Ticket<Pending>): boolean {
    const named = request.outputs?.length ?? 0;
    return named === 0 || named === this.#outputs;
  }

  /** @returns the replica that has begun it, and is about to report the end of its run before. */
  withdraw(): Replica | undefined {
    if (this.#prepared?.run.withdraw() === false) return this.#prepared.replica;
    this.#prepared = undefined;
    return undefined;
  }

  /** The replica is lost: its requests wait for another. */
  drop(replica: Replica): void {
    if (this.#prepared?.replica !== replica) return;
    this.withdraw();
    this.#prepared = undefined;
  }

  /** The current run of the replica has ended, so this one begins: its requests leave the queue. */
  take(replica: Replica): Prepared | undefined {
    const prepared = this.#prepared;
    if (prepared?.replica !== replica) return undefined;
    this.#prepared = undefined;
    this.#scheduler.skipDecision();
    // A request that was cancelled has left; its row runs nevertheless.
    for (const ticket of prepared.tickets) {
      if (ticket.isWaiting) this.#scheduler.queue.remove(ticket);
    }
    return prepared;
  }
}
