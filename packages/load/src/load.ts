/**
 * Sends a load from worker threads of its own and reports the results. The caller's event loop is
 * not involved, so neither a progress bar nor the garbage of a benchmark can delay a send.
 */
import { startThread } from '@skein/calls';
import type { ArrivalKind } from './arrivals.ts';
import { Tally, type Percentiles, type TallyData } from './measuring/tally.ts';
import type { LoadTarget } from './target.ts';

export type LoadMode =
  | {
      readonly kind: 'open';
      readonly arrivals: ArrivalKind;
      /** Requests per second. */ readonly rate: number;
    }
  | {
      readonly kind: 'closed';
      /** Clients, each on a connection of its own. */ readonly clients: number;
    };

export interface LoadPlan {
  readonly target: LoadTarget;
  readonly mode: LoadMode;
  readonly durationMs: number;
  /** Sent before the measurement, and not counted. */
  readonly warmupMs: number;
  /** A request without an answer for this long counts as failed. */
  readonly timeoutMs: number;
  /** An answer later than this does not count as goodput. */
  readonly objectiveMs: number;
  readonly seed: number;
  /** Worker threads; the rate, or the clients, are divided among them. */
  readonly threads: number;
  readonly maxConnections: number;
}

export const LOAD_DEFAULTS = {
  warmupMs: 0,
  timeoutMs: 30_000,
  objectiveMs: 500,
  seed: 1,
  threads: 1,
  maxConnections: 1000,
} as const;

/** Absent options have defaults. */
export type GivenPlan = Pick<LoadPlan, 'target' | 'mode' | 'durationMs'> & Partial<LoadPlan>;

type Counts = Pick<TallyData, 'sent' | 'answered' | 'answeredInTime' | 'refused' | 'failed'>;

export interface LoadReport extends Counts, Pick<LoadPlan, 'mode' | 'durationMs' | 'objectiveMs'> {
  readonly sentPerSecond: number;
  readonly answeredPerSecond: number;
  /** Answers inside the objective per second. */
  readonly goodputPerSecond: number;
  /** Their share of all requests that were sent; null when none was. */
  readonly attainment: number | null;
  /** Latencies of answers, from the intended send. */
  readonly latency: Percentiles;
  /** How long a refused client waited for the refusal. */
  readonly refusal: Percentiles;
  readonly generator: {
    /** From the intended to the actual send. */
    readonly sendDelay: Percentiles;
    /** Share of time in which the busiest sending thread was active. */
    readonly busyShare: number;
    /**
     * Whether the generator itself could not send in time; the numbers are then too pessimistic.
     */
    readonly fellBehind: boolean;
  };
}

export interface LoadProgress extends Pick<Counts, 'sent' | 'answered' | 'answeredInTime'> {
  readonly elapsedMs: number;
}

export interface WorkerPlan extends LoadPlan {
  readonly part: number;
}
export interface WorkerResult {
  readonly tally: TallyData;
  readonly busyShare: number;
}
/** Functions that a worker serves. */
export type LoadCalls = {
  warm(plan: WorkerPlan): Promise<void>;
  run(): Promise<WorkerResult>;
};
/** Functions that the calling thread serves to a worker. */
export type ObserverCalls = {
  progress(now: Omit<LoadProgress, 'elapsedMs'>): void;
};

/** One request in a hundred this late means that the generator, not the server, is the limit. */
const BEHIND_MS = 20;

/**
 * @throws RangeError for a plan that cannot be sent.
 * @throws Error when the target accepts no connection.
 * @throws the signal's reason when it is aborted.
 */
export async function runLoad(
  given: GivenPlan,
  observe: { onProgress?: (progress: LoadProgress) => void; signal?: AbortSignal } = {},
): Promise<LoadReport> {
  const { onProgress, signal } = observe;
  signal?.throwIfAborted();
  const plan = completePlan(given);
  const workers = Array.from({ length: plan.threads }, startWorker);
  try {
    await Promise.all(
      workers.map(({ thread }, part) => thread.call('warm', { ...plan, part }, { signal })),
    );
    const startedAt = performance.now();
    const timer = setInterval(() => {
      onProgress?.({
        elapsedMs: performance.now() - startedAt,
        sent: sum(workers.map(({ progress }) => progress.sent)),
        answered: sum(workers.map(({ progress }) => progress.answered)),
        answeredInTime: sum(workers.map(({ progress }) => progress.answeredInTime)),
      });
    }, 250);
    try {
      const results = workers.map(({ thread }) => thread.call('run', undefined, { signal }));
      return report(plan, await Promise.all(results));
    } finally {
      clearInterval(timer);
    }
  } finally {
    await Promise.all(workers.map(({ thread }) => thread.stop()));
  }
}

const ENTRY = new URL('./load-worker.ts', import.meta.url);

function startWorker() {
  const progress = { sent: 0, answered: 0, answeredInTime: 0 };
  const serves: ObserverCalls = { progress: (now) => void Object.assign(progress, now) };
  return { thread: startThread<LoadCalls>(ENTRY, { name: 'skein-load', serves }), progress };
}

/** Copied field by field: further fields of a caller may not be cloneable to a worker. */
function completePlan(given: GivenPlan): LoadPlan {
  checkObject('plan', given);
  checkObject("plan's target", given.target);
  checkObject("plan's mode", given.mode);
  const plan: LoadPlan = {
    target: given.target,
    mode: given.mode,
    durationMs: given.durationMs,
    warmupMs: given.warmupMs ?? LOAD_DEFAULTS.warmupMs,
    timeoutMs: given.timeoutMs ?? LOAD_DEFAULTS.timeoutMs,
    objectiveMs: given.objectiveMs ?? LOAD_DEFAULTS.objectiveMs,
    seed: given.seed ?? LOAD_DEFAULTS.seed,
    threads: given.threads ?? LOAD_DEFAULTS.threads,
    maxConnections: given.maxConnections ?? LOAD_DEFAULTS.maxConnections,
  };
  checkPlan(plan);
  return plan;
}

/** The longest wait of a timer of Node, in milliseconds: a longer one would end at once. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** With such a plan the workers would send nothing, send something else, or never end. */
function checkPlan({ mode, target, ...plan }: LoadPlan): void {
  checkChoice('protocol', target.protocol, ['http', 'grpc']);
  checkChoice('mode', mode.kind, ['open', 'closed']);
  if (mode.kind === 'open') checkChoice('arrivals', mode.arrivals, ['poisson', 'constant']);
  const counts = { threads: plan.threads, maxConnections: plan.maxConnections };
  const { durationMs, timeoutMs, objectiveMs } = plan;
  const times = { durationMs, timeoutMs, objectiveMs };
  for (const [name, count] of Object.entries({
    ...counts,
    ...(mode.kind === 'closed' ? { clients: mode.clients } : {}),
  })) {
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new RangeError(`The plan's ${name} must be a whole number above zero, not ${count}.`);
    }
  }
  for (const [name, amount] of Object.entries({
    ...times,
    ...(mode.kind === 'open' ? { rate: mode.rate } : {}),
  })) {
    if (!Number.isFinite(amount) || amount <= 0) {
      throw new RangeError(`The plan's ${name} must be a number above zero, not ${amount}.`);
    }
  }
  if (timeoutMs > MAX_WAIT_MS) {
    throw new RangeError(`The plan's timeoutMs must be at most ${MAX_WAIT_MS}, not ${timeoutMs}.`);
  }
  if (!Number.isFinite(plan.warmupMs) || plan.warmupMs < 0) {
    throw new RangeError(`The plan's warmupMs must be zero or more, not ${plan.warmupMs}.`);
  }
  if (!Array.isArray(target.bodies) || target.bodies.length === 0)
    throw new RangeError("The plan's target has no body to send.");
  if (!target.bodies.every((body: unknown) => body instanceof Uint8Array)) {
    throw new RangeError("The plan's target has a body that is not a Uint8Array.");
  }
}

function checkObject(what: string, given: unknown): void {
  if (typeof given === 'object' && given !== null) return;
  throw new RangeError(`The ${what} must be an object, not ${String(given)}.`);
}

function checkChoice(what: string, given: string, known: readonly string[]): void {
  if (!known.includes(given)) {
    throw new RangeError(`The plan's ${what} must be ${known.join(' or ')}, not ${given}.`);
  }
}

function report(plan: LoadPlan, results: readonly WorkerResult[]): LoadReport {
  const tally = new Tally(plan.objectiveMs);
  for (const result of results) tally.merge(result.tally);
  const { refused, failed } = tally.data();
  const seconds = plan.durationMs / 1000;
  const sendDelay = tally.sendDelay();
  return {
    mode: plan.mode,
    durationMs: plan.durationMs,
    objectiveMs: plan.objectiveMs,
    sent: tally.sent,
    answered: tally.answered,
    answeredInTime: tally.answeredInTime,
    sentPerSecond: tally.sent / seconds,
    answeredPerSecond: tally.answered / seconds,
    goodputPerSecond: tally.answeredInTime / seconds,
    attainment: tally.sent === 0 ? null : tally.answeredInTime / tally.sent,
    latency: tally.latency(),
    refused,
    refusal: tally.refusal(),
    failed,
    generator: {
      sendDelay,
      busyShare: Math.max(0, ...results.map((result) => result.busyShare)),
      fellBehind: plan.mode.kind === 'open' && (sendDelay.p99Ms ?? 0) > BEHIND_MS,
    },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
