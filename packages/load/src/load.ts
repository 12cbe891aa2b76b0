/**
 * Sends a load from worker threads of its own and reports the results. The caller's event loop is
 * not involved, so neither a progress bar nor the garbage of a benchmark can delay a send.
 */
import { Worker } from 'node:worker_threads';
import type { ArrivalKind } from './arrivals.ts';
import { Tally, type Percentiles, type TallyData } from './tally.ts';
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
  maxConnections: 4096,
} as const;

/** Absent options have defaults. */
export type GivenPlan = Pick<LoadPlan, 'target' | 'mode' | 'durationMs'> & Partial<LoadPlan>;

export interface LoadReport {
  readonly mode: LoadMode;
  readonly durationMs: number;
  readonly objectiveMs: number;
  readonly sent: number;
  readonly answered: number;
  readonly answeredInTime: number;
  readonly sentPerSecond: number;
  readonly answeredPerSecond: number;
  /** Answers inside the objective per second. */
  readonly goodputPerSecond: number;
  /** Their share of all requests that were sent; null when none was. */
  readonly attainment: number | null;
  /** Of answers, from the intended send. */
  readonly latency: Percentiles;
  /** Refused requests, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** How long a refused client waited for the refusal. */
  readonly refusal: Percentiles;
  /** All other failures, by reason. */
  readonly failed: Readonly<Record<string, number>>;
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

export interface LoadProgress {
  readonly elapsedMs: number;
  readonly sent: number;
  readonly answered: number;
  readonly answeredInTime: number;
}

/** The messages to and from a worker. */
export interface WorkerPlan extends LoadPlan {
  readonly part: number;
}
export type WorkerMessage =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'progress';
      readonly sent: number;
      readonly answered: number;
      readonly answeredInTime: number;
    }
  | { readonly kind: 'done'; readonly tally: TallyData; readonly busyShare: number }
  | { readonly kind: 'failed'; readonly message: string };

/** One request in a hundred this late means that the generator, not the server, is the limit. */
const BEHIND_MS = 20;

/**
 * @throws Error when the target accepts no connection.
 * @throws the signal's reason when it is aborted.
 */
export async function runLoad(
  given: GivenPlan,
  observe: { onProgress?: (progress: LoadProgress) => void; signal?: AbortSignal } = {},
): Promise<LoadReport> {
  observe.signal?.throwIfAborted();
  const plan = completePlan(given);
  const workers = Array.from({ length: plan.threads }, (_, part) => startWorker({ ...plan, part }));
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(observe.signal?.reason);
  observe.signal?.addEventListener('abort', abort);
  try {
    await Promise.race([Promise.all(workers.map((worker) => worker.ready)), aborted.promise]);
    const startedAt = performance.now();
    const timer = setInterval(() => {
      observe.onProgress?.({
        elapsedMs: performance.now() - startedAt,
        sent: sum(workers.map((worker) => worker.progress.sent)),
        answered: sum(workers.map((worker) => worker.progress.answered)),
        answeredInTime: sum(workers.map((worker) => worker.progress.answeredInTime)),
      });
    }, 250);
    try {
      workers.forEach((worker) => worker.go());
      const done = Promise.all(workers.map((worker) => worker.done));
      const results = await Promise.race([done, aborted.promise]);
      return report(plan, results);
    } finally {
      clearInterval(timer);
    }
  } finally {
    observe.signal?.removeEventListener('abort', abort);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Copied field by field: further fields of a caller may not be cloneable to a worker. */
function completePlan(given: GivenPlan): LoadPlan {
  return {
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
}

interface WorkerResult {
  readonly tally: TallyData;
  readonly busyShare: number;
}

function startWorker(plan: WorkerPlan): {
  readonly ready: Promise<void>;
  readonly done: Promise<WorkerResult>;
  readonly progress: { sent: number; answered: number; answeredInTime: number };
  go(): void;
  terminate(): Promise<number>;
} {
  const worker = new Worker(new URL('./load-worker.ts', import.meta.url), { workerData: plan });
  const ready = Promise.withResolvers<void>();
  const done = Promise.withResolvers<WorkerResult>();
  const progress = { sent: 0, answered: 0, answeredInTime: 0 };
  const fail = (error: Error): void => {
    ready.reject(error);
    done.reject(error);
  };
  // The rejection is already reported by the other promise.
  ready.promise.catch(() => undefined);
  done.promise.catch(() => undefined);
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'ready') ready.resolve();
    else if (message.kind === 'progress') Object.assign(progress, message);
    else if (message.kind === 'done') done.resolve(message);
    else fail(new Error(message.message));
  });
  worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', () => fail(new Error('The load worker ended early.')));
  return {
    ready: ready.promise,
    done: done.promise,
    progress,
    go: () => worker.postMessage('go', []),
    terminate: () => worker.terminate(),
  };
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
