/**
 * Cumulative statistics per model and version, as Triton's statistics extension defines them. They
 * are counted from the reports of the serving plane; the hot path only adds numbers.
 */
import type { SkeinError } from '@skein/api';
import type { InferenceRequest, ServingObserver } from '@skein/serving';
import type { TargetRequest } from '@skein/serving/contract';

/** How often an event happened and how long it took in total. */
export interface DurationStatistic {
  readonly count: number;
  readonly totalMs: number;
}

export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since 1970; 0 before the first. */
  readonly lastInference: number;
  /** Inferred rows; answers from the cache do not count. */
  readonly inferenceCount: number;
  /** Runs of the model. */
  readonly executionCount: number;
  /** Answered requests, from arrival to answer. */
  readonly success: DurationStatistic;
  readonly fail: DurationStatistic;
  readonly queue: DurationStatistic;
  readonly compute: DurationStatistic;
  readonly cacheHit: DurationStatistic;
  /** By rows of a run, ascending. */
  readonly batches: readonly { readonly rows: number; readonly compute: DurationStatistic }[];
}

export interface StatisticsSource {
  /** Of every model, one model, or one version; empty for names without traffic. */
  read(model?: string, version?: string): readonly ModelStatistics[];
}

interface Duration {
  count: number;
  totalMs: number;
}

interface Counters {
  lastInference: number;
  rows: number;
  runs: number;
  readonly success: Duration;
  readonly fail: Duration;
  readonly queue: Duration;
  readonly compute: Duration;
  readonly cacheHit: Duration;
  readonly batches: Map<number, Duration>;
}

/** @param wallNow milliseconds since 1970. */
export function createModelStatistics(
  wallNow: () => number = Date.now,
): ServingObserver & StatisticsSource {
  const models = new Map<string, Map<string, Counters>>();

  function countersOf(model: string, version: string): Counters {
    let versions = models.get(model);
    if (versions === undefined) models.set(model, (versions = new Map()));
    let counters = versions.get(version);
    if (counters === undefined) versions.set(version, (counters = noCounts()));
    return counters;
  }

  /** A request that was refused before it got a version counts for the newest known one. */
  function versionOf(request: InferenceRequest): string {
    return request.version ?? [...(models.get(request.deployment)?.keys() ?? [])].at(-1) ?? '';
  }

  return {
    answered(request: TargetRequest, { version, times, cached }, finishedAt) {
      const counters = countersOf(request.deployment, version);
      const latencyMs = finishedAt - request.arrivedAt;
      counters.lastInference = wallNow();
      add(counters.success, latencyMs);
      add(counters.queue, times.queueMs);
      if (cached) {
        add(counters.cacheHit, latencyMs);
        return;
      }
      add(counters.compute, times.computeMs);
      // A composition reports no batches; each of its answers counts as a run of one.
      if (counters.batches.size === 0) {
        counters.rows++;
        counters.runs++;
      }
    },

    refused(request: InferenceRequest, _error: SkeinError, at) {
      add(countersOf(request.deployment, versionOf(request)).fail, at - request.arrivedAt);
    },

    batchRan(model, version, rows, computeMs) {
      const counters = countersOf(model, version);
      counters.rows += rows;
      counters.runs++;
      let batch = counters.batches.get(rows);
      if (batch === undefined) counters.batches.set(rows, (batch = { count: 0, totalMs: 0 }));
      add(batch, computeMs);
    },

    replicaChanged() {},

    read(model, version) {
      const found: ModelStatistics[] = [];
      for (const [name, versions] of models) {
        if (model !== undefined && name !== model) continue;
        for (const [number, counters] of versions) {
          if (version !== undefined && number !== version) continue;
          found.push(snapshot(name, number, counters));
        }
      }
      return found;
    },
  };
}

function noCounts(): Counters {
  const none = () => ({ count: 0, totalMs: 0 });
  return {
    lastInference: 0,
    rows: 0,
    runs: 0,
    success: none(),
    fail: none(),
    queue: none(),
    compute: none(),
    cacheHit: none(),
    batches: new Map(),
  };
}

function add(to: Duration, ms: number): void {
  to.count++;
  to.totalMs += ms;
}

function snapshot(name: string, version: string, counters: Counters): ModelStatistics {
  const { lastInference, rows, runs, success, fail, queue, compute, cacheHit, batches } = counters;
  return {
    name,
    version,
    lastInference,
    inferenceCount: rows,
    executionCount: runs,
    success: { ...success },
    fail: { ...fail },
    queue: { ...queue },
    compute: { ...compute },
    cacheHit: { ...cacheHit },
    batches: [...batches]
      .toSorted(([one], [other]) => one - other)
      .map(([rows, compute]) => ({ rows, compute: { ...compute } })),
  };
}
