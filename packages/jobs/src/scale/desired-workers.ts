/**
 * How many workers a queue needs, so that its jobs start within a target delay. A platform that
 * owns the machines (KEDA, an autoscaler of a cloud) reads the number and applies its own bounds.
 *
 *     concurrency = work that arrives + work that waits / target
 *                 = arrivals × run time + ready × run time / target
 *
 * The run time follows from Little's law: running jobs over jobs that end per second. An empty queue
 * needs no worker. Jobs that wait longer than the target, whatever the estimates are, ask for one
 * worker more than there are: the estimates are then wrong, or the workers are not.
 */
export interface QueueLoad {
  readonly ready: number;
  readonly running: number;
  /** How long the oldest ready job waits, in milliseconds. */
  readonly oldestWaitMs: number;
  /** Open workers of the queue. */
  readonly workers: number;
  /** Recent rates; undefined before two readings. */
  readonly rates: QueueRates | undefined;
}

export interface QueueRates {
  readonly arrivalsPerSecond: number;
  readonly endsPerSecond: number;
  /** Running jobs, smoothed like the rates. */
  readonly running: number;
  /** The most jobs that one worker ran at once, recently: what at least fits into a worker. */
  readonly jobsPerWorker: number;
}

export interface DesiredWorkers {
  readonly workers: number;
  readonly why: string;
}

/** A job should start within this, in milliseconds: the time that a worker takes to start. */
export const TARGET_DELAY_MS = 30_000;
/** Weight of the past falls to 1/e in this time, in milliseconds: four readings of Prometheus. */
export const SMOOTHING_MS = 60_000;

/** The same time, in milliseconds, for the jobs that fit into a worker: it changes with the jobs, not with the load. */
const FITS_MS = 1_800_000;

export function desiredWorkers(load: QueueLoad, targetMs = TARGET_DELAY_MS): DesiredWorkers {
  const { ready, running, oldestWaitMs, workers, rates } = load;
  if (ready + running === 0) return { workers: 0, why: 'the queue is empty' };
  const targetSeconds = targetMs / 1000;
  const known = rates !== undefined && rates.endsPerSecond > 0 && rates.running > 0;
  // Unknown: a job per target, so that a first burst asks for a place for each of its jobs.
  const runSeconds = known ? rates.running / rates.endsPerSecond : targetSeconds;
  const arriving = known ? rates.arrivalsPerSecond * runSeconds : 0;
  const concurrency = Math.max(running, arriving) + (ready * runSeconds) / targetSeconds;
  const perWorker = Math.max(1, rates?.jobsPerWorker ?? 1);
  const needed = Math.max(1, Math.ceil(concurrency / perWorker - 1e-9));
  if (ready > 0 && oldestWaitMs > targetMs && needed <= workers) {
    return {
      workers: workers + 1,
      why: `a job waits ${Math.round(oldestWaitMs / 1000)} s, longer than ${targetSeconds} s`,
    };
  }
  const each = known ? `${round(runSeconds)} s each` : 'of unknown time';
  return {
    workers: needed,
    why: `${ready} ready and ${running} running jobs, ${each}, ${round(perWorker)} at once in a worker`,
  };
}

/** The state of a queue in a store at one moment. */
export interface QueueLook {
  /** The store's clock, in milliseconds. */
  readonly at: number;
  readonly ready: number;
  readonly running: number;
  /** The most jobs that one worker runs now. */
  readonly busiest: number;
  /** Attempts that have ended, ever. */
  readonly ended: number;
}

export interface RatesSoFar {
  readonly last: QueueLook;
  readonly rates: QueueRates | undefined;
}

/** Readings that follow each other sooner are one, in seconds: each caller of the API makes one. */
const SOONEST_LOOK_SECONDS = 1;

/** Takes a reading into the rates. After a clock that ran backwards, the rates so far continue from there. */
export function withLook(before: RatesSoFar | undefined, look: QueueLook): RatesSoFar {
  if (before === undefined) return { last: look, rates: undefined };
  const { last, rates } = before;
  const seconds = (look.at - last.at) / 1000;
  if (seconds < 0) return { last: look, rates };
  if (seconds < SOONEST_LOOK_SECONDS) return before;
  // A store that was emptied counts from zero.
  const ends = Math.max(0, look.ended - last.ended);
  const growth = look.ready + look.running - last.ready - last.running;
  const kept = Math.exp((-seconds * 1000) / SMOOTHING_MS);
  const fits = (rates?.jobsPerWorker ?? 1) * Math.exp((-seconds * 1000) / FITS_MS);
  const mix = (old: number | undefined, now: number): number =>
    old === undefined ? now : old * kept + now * (1 - kept);
  return {
    last: look,
    rates: {
      arrivalsPerSecond: mix(rates?.arrivalsPerSecond, Math.max(0, ends + growth) / seconds),
      endsPerSecond: mix(rates?.endsPerSecond, ends / seconds),
      running: mix(rates?.running, (look.running + last.running) / 2),
      jobsPerWorker: Math.max(1, look.busiest, fits),
    },
  };
}

function round(value: number): number {
  return Number(value.toPrecision(2));
}
