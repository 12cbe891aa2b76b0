/** One run of a replica and its requests. */
import { setImmediate as immediate } from 'node:timers/promises';
import type { RunResult } from '@skein/runtime';
import type { Clock, Instant } from '../../contract.ts';
import { commonOutputs, joinSteps, outputsOf, unevenOutput } from './batch.ts';
import type { Pending } from './pending.ts';
import type { Replica } from './replica.ts';
import type { Ticket } from '../queue/ticket.ts';

export class BatchRun {
  readonly tickets: readonly Ticket<Pending>[];
  readonly rows: number;
  readonly startedAt: Instant;
  /** The latest deadline of its requests. */
  readonly deadline: Instant;
  /** When the next of its requests fails as late. */
  failsAt: Instant = Infinity;

  constructor(tickets: readonly Ticket<Pending>[], startedAt: Instant) {
    this.tickets = tickets;
    this.startedAt = startedAt;
    let rows = 0;
    let deadline = 0;
    for (const ticket of tickets) {
      rows += ticket.rows;
      if (ticket.deadline > deadline) deadline = ticket.deadline;
      this.failsAt = Math.min(this.failsAt, ticket.payload.failsAt);
    }
    this.rows = rows;
    this.deadline = deadline;
  }

  /** @throws RuntimeFailure as the session does; any other error is an internal fault. */
  async start(replica: Replica, inputNames: readonly string[], clock: Clock): Promise<RunResult> {
    const requests = this.tickets.map(({ payload }) => payload.request);
    const steps = joinSteps(inputNames, requests, this.rows);
    let step = steps.next();
    while (step.done !== true) {
      await immediate();
      step = steps.next();
    }
    const joinMs = clock.now() - this.startedAt;
    const result = await replica.run(step.value, commonOutputs(requests));
    return { ...result, inputMs: joinMs + result.inputMs };
  }

  /** An output that does not have one row per input row, so that the batch cannot be split; undefined if there is none. */
  uneven({ outputs }: RunResult): string | undefined {
    return this.tickets.length === 1 ? undefined : unevenOutput(outputs, this.rows);
  }

  /** Fails the requests whose deadlines have passed. The run goes on, and shows its cost. */
  expire(now: Instant): void {
    this.failsAt = Infinity;
    for (const { payload } of this.tickets) {
      if (payload.failsAt <= now) payload.expire(now);
      else this.failsAt = Math.min(this.failsAt, payload.failsAt);
    }
  }

  /** Gives every request its rows. */
  answer(
    version: string,
    { outputs, inputMs, computeMs, outputMs }: RunResult,
    now: Instant,
  ): void {
    let from = 0;
    for (const { payload, enqueuedAt, rows } of this.tickets) {
      const own =
        this.tickets.length === 1 ? outputs : outputsOf(payload.request, outputs, from, rows);
      const queueMs = this.startedAt - enqueuedAt;
      const times = { queueMs, inputMs, computeMs, outputMs, batchRows: this.rows };
      payload.answer({ version, outputs: own, times, cached: false }, now);
      from += rows;
    }
  }
}
