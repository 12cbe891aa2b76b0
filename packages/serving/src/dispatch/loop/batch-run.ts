/** One run of a replica and its requests. */
import { setImmediate as immediate } from 'node:timers/promises';
import type { TensorMap } from '@skein/onnx';
import type { InlineSession, RunResult } from '@skein/runtime';
import type { Clock, Instant, TargetRequest } from '../../contract.ts';
import { commonOutputs, joinSteps, outputsOf, unevenOutput } from './batch.ts';
import type { Pending } from './pending.ts';
import type { Replica } from './replica.ts';
import type { Ticket } from '../queue/ticket.ts';
import { timesOutAt } from '../policy/run-timeout.ts';

export class BatchRun {
  readonly tickets: readonly Ticket<Pending>[];
  readonly rows: number;
  readonly startedAt: Instant;
  /** The latest deadline of its requests. */
  readonly deadline: Instant;
  /** Where it runs in place of its replica. */
  readonly inline: InlineSession | undefined;
  /** When the next of its requests fails as late. */
  failsAt: Instant = Infinity;

  constructor(tickets: readonly Ticket<Pending>[], startedAt: Instant, inline?: InlineSession) {
    this.tickets = tickets;
    this.startedAt = startedAt;
    this.inline = inline;
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
    const gone = requests.some(({ memory }) => memory !== undefined)
      ? requests.map(({ memory, inputs }) => memory?.countCopy(copiedBytes(inputs)))
      : [];
    try {
      const steps = joinSteps(inputNames, requests, this.rows);
      const first = steps.next();
      const inputs = first.done === true ? first.value : await joinedInTurns(requests, steps);
      const joinMs = clock.now() - this.startedAt;
      const result = await replica.run(inputs, commonOutputs(requests), this.inline);
      return { ...result, inputMs: joinMs + result.inputMs };
    } finally {
      for (const each of gone) each?.();
    }
  }

  /** When its replica, which begins it now, counts as stuck. */
  timesOutAt({ freeBy, isolation }: Replica, objectiveMs: number): Instant {
    const { startedAt, deadline, rows, tickets } = this;
    const isKnown = !tickets[0]!.lane.curve.isExtrapolated(rows);
    const expectedMs = isKnown ? freeBy - startedAt : 0;
    return timesOutAt({ startedAt, deadline, expectedMs, objectiveMs, isolation });
  }

  /** An output that does not have one row per input row, so that the batch cannot be split; undefined if there is none. */
  uneven({ outputs }: RunResult): string | undefined {
    return this.tickets.length === 1 ? undefined : unevenOutput(outputs, this.rows);
  }

  /** Fails the requests whose deadlines have passed. The run continues, and shows its cost. */
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

/**
 * Memory of a text during a run, in its bytes: packed, as a string of JavaScript and as one of C++, as an input and
 * as an output. Half a gigabyte for a text of 64 MiB, with ONNX Runtime 1.30.
 */
const TEXT_COPIES = 8;

/** Memory that a run takes for inputs beyond their own, in bytes: numbers are copied once, and their copy moves. */
function copiedBytes(inputs: TensorMap): number {
  let sum = 0;
  for (const tensor of inputs.values()) {
    if (tensor.type !== 'string') sum += tensor.bytes.byteLength;
    else for (const { byteLength } of tensor.elements) sum += TEXT_COPIES * byteLength;
  }
  return sum;
}

/** @param requests may fail meanwhile, and are read nevertheless: they share the run with others. */
async function joinedInTurns(
  requests: readonly TargetRequest[],
  steps: ReturnType<typeof joinSteps>,
): Promise<TensorMap> {
  const release = requests.map(({ memory }) => memory?.retain());
  try {
    for (;;) {
      await immediate();
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  } finally {
    for (const each of release) each?.();
  }
}
