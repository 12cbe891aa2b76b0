/**
 * A simulated server: the real scheduler with replicas whose runs take as long as a function returns.
 * Tests run thousands of seeded cases through it in milliseconds.
 */
import type { Instant } from '../../contract.ts';
import { LatencyModel } from '../cost/latency-model.ts';
import { Scheduler, type Refusal } from '../policy/scheduler.ts';
import type { Server } from '../queue/servers.ts';
import { Ticket } from '../queue/ticket.ts';

export interface Arrival {
  readonly at: Instant;
  /** Milliseconds from the arrival to the deadline. */
  readonly budgetMs: number;
  readonly rows?: number;
  readonly lane?: string;
  readonly tenant?: string;
  readonly level?: number;
}

export interface Outcome {
  readonly arrival: Arrival;
  state: 'waiting' | 'refused' | 'missed' | 'answered';
  refusal?: Refusal;
  retryAfterMs?: number;
  startedAt: Instant;
  finishedAt: Instant;
  batchRows: number;
}

export interface SimulationOptions {
  /** Duration of a run in milliseconds. */
  readonly cost: (rows: number, lane: string, now: Instant) => number;
  readonly replicas?: number;
  readonly maxRows?: number;
  readonly maxRequests?: number;
  readonly objectiveMs?: number;
  readonly weights?: Readonly<Record<string, number>>;
  /** Whether 1, 2, 4, … rows are measured beforehand, as by warming; default true. */
  readonly seed?: boolean;
  /** The measured lanes; other arrivals are sizes that have not run. Default: `''`. */
  readonly lanes?: readonly string[];
  /** Elements per row of each input, by lane; default: four times the count of the lane before. */
  readonly elements?: Readonly<Record<string, readonly number[]>>;
  /** Called for each outcome of a request; returned arrivals are added: closed loops. */
  readonly onEnd?: (outcome: Outcome) => Arrival | undefined;
}

interface Run {
  readonly server: Server;
  readonly batch: Ticket<Outcome>[];
  readonly rows: number;
  readonly endsAt: Instant;
}

export interface SimulationResult {
  readonly outcomes: readonly Outcome[];
  /** Rows of each run. */
  readonly runs: readonly number[];
  readonly scheduler: Scheduler<Outcome>;
}

export function simulate(
  arrivals: readonly Arrival[],
  options: SimulationOptions,
): SimulationResult {
  const { cost, replicas = 1, maxRows = 32, objectiveMs = 500, weights = {} } = options;
  let now = 0;
  const model = new LatencyModel();
  const scheduler = new Scheduler<Outcome>({
    maxRows,
    maxRequests: options.maxRequests ?? 1024,
    objectiveMs,
    weightOf: (tenant) => weights[tenant] ?? 1,
  });
  for (let i = 0; i < replicas; i++) {
    scheduler.servers.list.push({
      rows: 0,
      startedAt: 0,
      freeAt: 0,
      freeBy: 0,
      idleSince: 0,
      isProbe: false,
    });
  }
  scheduler.serversChanged();

  const laneNames = options.lanes ?? [''];
  const curveOf = (lane: string) =>
    model.curve(options.elements?.[lane] ?? [4 ** laneNames.indexOf(lane)]);
  if (options.seed !== false) {
    for (const lane of laneNames) {
      for (let rows = 1; rows <= maxRows; rows *= 2) {
        for (let i = 0; i < 10; i++) curveOf(lane).seed(rows, cost(rows, lane, 0));
      }
    }
  }

  const pending = [...arrivals].sort((a, b) => a.at - b.at);
  const outcomes: Outcome[] = [];
  const runs: Run[] = [];
  const ran: number[] = [];
  const batch: Ticket<Outcome>[] = [];
  const missed: Ticket<Outcome>[] = [];
  let nextArrival = 0;

  const end = (outcome: Outcome): void => {
    const follow = options.onEnd?.(outcome);
    if (follow === undefined) return;
    let position = pending.length;
    while (position > nextArrival && pending[position - 1]!.at > follow.at) position--;
    pending.splice(position, 0, follow);
  };
  const arrive = (arrival: Arrival): void => {
    const { budgetMs, rows = 1, lane = '', tenant = 'a', level = 3 } = arrival;
    const outcome: Outcome = {
      arrival,
      state: 'waiting',
      startedAt: Number.NaN,
      finishedAt: Number.NaN,
      batchRows: 0,
    };
    outcomes.push(outcome);
    const ticket = new Ticket<Outcome>(
      outcome,
      scheduler.queue.lane(lane) ?? scheduler.queue.addLane(lane, true, curveOf(lane)),
      scheduler.queue.tenant(tenant, now),
      rows,
      now + budgetMs,
      level,
    );
    const refusal = scheduler.offer(ticket, now);
    if (refusal === undefined) return;
    outcome.state = 'refused';
    outcome.refusal = refusal;
    outcome.retryAfterMs = scheduler.verdict.lateMs;
    outcome.finishedAt = now;
    end(outcome);
  };
  const dispatch = (): void => {
    for (;;) {
      batch.length = 0;
      missed.length = 0;
      scheduler.next(now, batch, missed);
      for (const { payload } of missed) {
        payload.state = 'missed';
        payload.finishedAt = now;
        end(payload);
      }
      if (batch.length === 0) return;
      const server = scheduler.servers.idlest!;
      const rows = batch.reduce((sum, ticket) => sum + ticket.rows, 0);
      scheduler.start(server, batch, rows, now);
      for (const { payload } of batch) {
        payload.startedAt = now;
        payload.batchRows = rows;
      }
      ran.push(rows);
      const endsAt = now + cost(rows, batch[0]!.lane.key, now);
      runs.push({ server, batch: [...batch], rows, endsAt });
    }
  };
  const finish = (run: Run): void => {
    runs.splice(runs.indexOf(run), 1);
    run.batch[0]!.lane.curve.record(run.rows, now - run.server.startedAt, now);
    scheduler.finish(run.server, run.batch, now);
    for (const { payload } of run.batch) {
      payload.state = 'answered';
      payload.finishedAt = now;
      end(payload);
    }
  };

  for (;;) {
    const arrival = pending[nextArrival];
    let run: Run | undefined;
    for (const candidate of runs)
      if (run === undefined || candidate.endsAt < run.endsAt) run = candidate;
    const at = Math.min(arrival?.at ?? Infinity, run?.endsAt ?? Infinity, scheduler.wakeAt);
    if (at === Infinity) break;
    now = Math.max(now, at);
    if (run !== undefined && run.endsAt <= now) finish(run);
    else if (arrival !== undefined && arrival.at <= now) {
      nextArrival++;
      arrive(arrival);
    }
    dispatch();
  }
  return { outcomes, runs: ran, scheduler };
}

/** Answered within their deadlines. */
export function inTime(outcomes: readonly Outcome[]): Outcome[] {
  return outcomes.filter(
    ({ state, finishedAt, arrival }) =>
      state === 'answered' && finishedAt <= arrival.at + arrival.budgetMs + 1e-6,
  );
}

/** Arrivals of a Poisson process. */
export function poisson(
  random: () => number,
  perMs: number,
  durationMs: number,
  make: (at: Instant) => Arrival,
): Arrival[] {
  const arrivals: Arrival[] = [];
  let at = 0;
  for (;;) {
    at += -Math.log(1 - random()) / perMs;
    if (at > durationMs) return arrivals;
    arrivals.push(make(at));
  }
}
