/**
 * The node's metrics: a ServingObserver that only counts, and a page that is rendered for each
 * scrape.
 *
 * Attainment covers the requests that the node was responsible for: those it answered, and those it
 * refused or failed. A request that was invalid, cancelled or beyond the caller's own limit is
 * counted under its code, and not against the objective.
 */
import { ERRORS, type DeploymentView, type ErrorCode } from '@skein/api';
import type { SharedBudget } from '@skein/api/shared-budget';
import type { Clock, Instant, ServingObserver } from '@skein/serving';
import { CONTENT_TYPE, createExposition, type Exposition } from '@skein/http';
import { exposeBudgets } from './budget-page.ts';
import { observe } from './histogram.ts';
import { count } from './objective-window.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { exposeDeployments } from './serving-page.ts';
import { createServingSeries, OTHER } from './serving-series.ts';

export interface Metrics {
  readonly observer: ServingObserver;
  /** Counts a request that was refused before the serving plane, under a deployment if it named one. */
  refused: (deployment: string | undefined, code: ErrorCode) => void;
  readonly contentType: string;
  /** The page for `/metrics`. */
  render(): string;
  close(): void;
}

export interface MetricsOptions {
  readonly clock: Clock;
  /** Called once per page: current queues, replicas and objectives. */
  readonly views: () => readonly DeploymentView[];
  /** Version of Skein. */
  readonly version: string;
  /** Shared budgets. Default: none. */
  readonly budgets?: readonly SharedBudget[];
  /** Adds metric families of other components to each page. */
  readonly expose?: (into: Exposition) => void;
}

export function createMetrics({
  clock,
  views,
  version,
  budgets = [],
  expose,
}: MetricsOptions): Metrics {
  const series = createServingSeries();
  const ofProcess = createProcessMetrics(version);

  function refuse(name: string, code: ErrorCode, at: Instant): void {
    const deployment = series.deployment(name);
    deployment.refused.set(code, (deployment.refused.get(code) ?? 0) + 1);
    if (isOwed(code)) count(deployment.objective, false, at);
    deployment.lastSeen = at;
  }

  const observer: ServingObserver = {
    answered(request, answer, finishedAt) {
      const deployment = series.deployment(request.deployment);
      const counted = series.version(deployment, answer.version);
      const inTime = finishedAt <= request.deadline;
      counted.answered += 1;
      if (inTime) counted.inTime += 1;
      if (answer.cached) {
        counted.cached += 1;
      } else {
        observe(counted.queueMs, answer.times.queueMs);
        observe(counted.computeMs, answer.times.computeMs);
        counted.inputMs += answer.times.inputMs ?? 0;
        counted.outputMs += answer.times.outputMs ?? 0;
      }
      observe(counted.totalMs, finishedAt - request.arrivedAt);
      count(deployment.objective, inTime, finishedAt);
      counted.lastSeen = finishedAt;
      deployment.lastSeen = finishedAt;
    },

    refused(request, error, at) {
      refuse(error.code === 'MODEL_UNKNOWN' ? OTHER : request.deployment, error.code, at);
    },

    batchRan(deployment, version, rows) {
      observe(series.version(series.deployment(deployment), version).batchRows, rows);
    },

    replicaChanged(deployment, version, replica) {
      if (replica.state !== 'gone' || replica.failure === undefined) return;
      series.version(series.deployment(deployment), version).replicaFailures += 1;
    },

    scaled({ deployment, version, from, to, cause }) {
      const { scalings } = series.version(series.deployment(deployment), version);
      const kind = `${to > from ? 'up' : 'down'} ${cause}` as const;
      scalings.set(kind, (scalings.get(kind) ?? 0) + 1);
    },
  };

  return {
    observer,
    refused: (deployment, code) => refuse(deployment ?? OTHER, code, clock.now()),
    contentType: CONTENT_TYPE,
    render() {
      const now = clock.now();
      const current = views();
      series.dropIdle(
        (name, version) =>
          current.some(
            (view) =>
              view.name === name &&
              (version === undefined || view.targets.some((each) => each.version === version)),
          ),
        now,
      );
      const page = createExposition();
      exposeDeployments(series, current, now, page);
      exposeBudgets(budgets, page);
      ofProcess.expose(page);
      expose?.(page);
      return page.text();
    },
    close: () => ofProcess.close(),
  };
}

/** Whether a refusal breaks the node's objective rather than a limit of the caller. */
function isOwed(code: ErrorCode): boolean {
  return ERRORS[code].kind !== 'user' && code !== 'RATE_LIMITED' && code !== 'QUOTA_EXCEEDED';
}
