/**
 * Cumulative statistics per model and version, as Triton's statistics extension defines them. They
 * are counted from the reports of the serving plane; the hot path only adds numbers.
 */
import type { SkeinError } from '@skein/api';
import type { DeployedModel, Inference, InferenceRequest, ServingObserver } from '@skein/serving';
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
  readonly input: DurationStatistic;
  readonly compute: DurationStatistic;
  readonly output: DurationStatistic;
  readonly cacheHit: DurationStatistic;
  /** By rows of a run, ascending. */
  readonly batches: readonly BatchStatistics[];
}

export interface BatchStatistics {
  readonly rows: number;
  readonly input: DurationStatistic;
  readonly compute: DurationStatistic;
  readonly output: DurationStatistic;
}

/** The served versions of a model, the newest last. */
export type Served = Pick<DeployedModel, 'name' | 'versions'>;

export interface StatisticsSource {
  /** One entry for each served version, also before its first request. */
  read(served: readonly Served[]): readonly ModelStatistics[];
}

/**
 * The versions that a request for statistics means: of every model, one model, or one version.
 * @throws SkeinError as `Inference.describe` does.
 */
export function servedVersions(
  inference: Pick<Inference, 'describe' | 'list'>,
  model: string | undefined,
  version: string | undefined,
): readonly Served[] {
  if (model === undefined) return inference.list();
  const { name, versions } = inference.describe(model, version);
  return [{ name, versions: version === undefined ? versions : [version] }];
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
  readonly input: Duration;
  readonly compute: Duration;
  readonly output: Duration;
  readonly cacheHit: Duration;
  readonly batches: Map<number, Pick<Counters, 'input' | 'compute' | 'output'>>;
}

interface Counted {
  readonly versions: Map<string, Counters>;
  /** The version that answered last. */
  last: string;
}

/** Where the refusals of requests without a version are counted until the model has answered one. */
const NO_VERSION = '';

/** @param wallNow milliseconds since 1970. */
export function createModelStatistics(
  wallNow: () => number = Date.now,
): ServingObserver & StatisticsSource {
  const models = new Map<string, Counted>();

  function countedOf(model: string): Counted {
    let counted = models.get(model);
    if (counted === undefined) {
      models.set(model, (counted = { versions: new Map(), last: NO_VERSION }));
    }
    return counted;
  }
  function countersOf({ versions }: Counted, version: string): Counters {
    let counters = versions.get(version);
    if (counters === undefined) versions.set(version, (counters = noCounts()));
    return counters;
  }

  return {
    answered(request: TargetRequest, { version, times, cached }, finishedAt) {
      const counted = countedOf(request.deployment);
      counted.last = version;
      const counters = countersOf(counted, version);
      const latencyMs = finishedAt - request.arrivedAt;
      counters.lastInference = wallNow();
      add(counters.success, latencyMs);
      add(counters.queue, times.queueMs);
      if (cached) {
        add(counters.cacheHit, latencyMs);
        return;
      }
      add(counters.input, times.inputMs ?? 0);
      add(counters.compute, times.computeMs);
      add(counters.output, times.outputMs ?? 0);
      // A composition reports no batches; each of its answers counts as a run of one.
      if (counters.batches.size === 0) {
        counters.rows++;
        counters.runs++;
      }
    },

    refused(request: InferenceRequest, _error: SkeinError, at) {
      const counted = countedOf(request.deployment);
      // One that was refused before it got a version counts for the last one that answered.
      const counters = countersOf(counted, request.version ?? counted.last);
      add(counters.fail, at - request.arrivedAt);
    },

    batchRan(model, version, rows, { inputMs, computeMs, outputMs }) {
      const counters = countersOf(countedOf(model), version);
      counters.rows += rows;
      counters.runs++;
      let batch = counters.batches.get(rows);
      if (batch === undefined) counters.batches.set(rows, (batch = noParts()));
      add(batch.input, inputMs);
      add(batch.compute, computeMs);
      add(batch.output, outputMs);
    },

    replicaChanged() {},

    read: (served) =>
      served.flatMap(({ name, versions }) => {
        const counted = models.get(name)?.versions;
        return versions.map((version) => {
          const counters = counted?.get(version) ?? noCounts();
          const early = counted?.get(NO_VERSION)?.fail;
          const takesEarly = early !== undefined && version === versions.at(-1);
          return snapshot(name, version, counters, takesEarly ? early : none());
        });
      }),
  };
}

const none = (): Duration => ({ count: 0, totalMs: 0 });
const noParts = () => ({ input: none(), compute: none(), output: none() });

function noCounts(): Counters {
  return {
    lastInference: 0,
    rows: 0,
    runs: 0,
    success: none(),
    fail: none(),
    queue: none(),
    ...noParts(),
    cacheHit: none(),
    batches: new Map(),
  };
}

function add(to: Duration, ms: number): void {
  to.count++;
  to.totalMs += ms;
}

/** @param early refusals that are counted for it together with its own. */
function snapshot(
  name: string,
  version: string,
  { rows, runs, batches, ...counters }: Counters,
  early: DurationStatistic,
): ModelStatistics {
  const { lastInference, fail, ...durations } = structuredClone(counters);
  return {
    name,
    version,
    lastInference,
    inferenceCount: rows,
    executionCount: runs,
    ...durations,
    fail: { count: fail.count + early.count, totalMs: fail.totalMs + early.totalMs },
    batches: [...batches]
      .toSorted(([one], [other]) => one - other)
      .map(([rows, parts]) => ({ rows, ...structuredClone(parts) })),
  };
}
