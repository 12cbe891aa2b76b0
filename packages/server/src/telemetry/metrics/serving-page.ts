/** The serving part of the metrics page: Skein's own families, then Triton's names for the same numbers. */
import { ERRORS, ReplicaState, type DeploymentView, type ErrorCode } from '@skein/api';
import type { Instant } from '@skein/serving';
import { labelled, type Exposition } from '@skein/http';
import { countOf, expose, type Histogram } from './histogram.ts';
import { attainment, burnRate } from './objective-window.ts';
import type { DeploymentSeries, ServingSeries, VersionSeries } from './serving-series.ts';

const WINDOWS = [
  ['5m', 5],
  ['1h', 60],
] as const;

type VersionFamily = readonly [name: string, help: string, value: (of: VersionSeries) => number];

const COUNTERS: readonly VersionFamily[] = [
  ['skein_requests_answered_total', 'Requests answered.', (of) => of.answered],
  [
    'skein_requests_in_time_total',
    'Requests answered inside their deadline; the rate of this is the goodput.',
    (of) => of.inTime,
  ],
  ['skein_requests_cached_total', 'Requests answered from the response cache.', (of) => of.cached],
  [
    'skein_replica_failures_total',
    'Replicas that ended by themselves or could not start.',
    (of) => of.replicaFailures,
  ],
];

const HISTOGRAMS: readonly (readonly [
  name: string,
  help: string,
  value: (of: VersionSeries) => Histogram,
  unit: number,
])[] = [
  [
    'skein_request_duration_seconds',
    'From arrival to answer, in seconds.',
    (of) => of.totalMs,
    1000,
  ],
  [
    'skein_queue_duration_seconds',
    'Waiting for a replica and a batch, in seconds.',
    (of) => of.queueMs,
    1000,
  ],
  [
    'skein_compute_duration_seconds',
    'Run of the batch that answered, in seconds.',
    (of) => of.computeMs,
    1000,
  ],
  ['skein_batch_rows', 'Rows of each run.', (of) => of.batchRows, 1],
];

/** Cumulative, in microseconds, as in Triton's docs/user_guide/metrics.md. */
const TRITON: readonly VersionFamily[] = [
  ['nv_inference_request_success', 'Requests answered.', (of) => of.answered],
  ['nv_inference_count', 'Rows run.', (of) => of.batchRows.sum],
  ['nv_inference_exec_count', 'Runs.', (of) => countOf(of.batchRows)],
  [
    'nv_inference_request_duration_us',
    'Time in requests, in microseconds.',
    (of) => of.totalMs.sum * 1000,
  ],
  [
    'nv_inference_queue_duration_us',
    'Time in the queue, in microseconds.',
    (of) => of.queueMs.sum * 1000,
  ],
  [
    'nv_inference_compute_infer_duration_us',
    'Time in runs, summed over their requests, in microseconds.',
    (of) => of.computeMs.sum * 1000,
  ],
  [
    'nv_inference_compute_input_duration_us',
    'Time in preparing inputs, summed over their requests, in microseconds.',
    (of) => of.inputMs * 1000,
  ],
  [
    'nv_inference_compute_output_duration_us',
    'Time in taking outputs, summed over their requests, in microseconds.',
    (of) => of.outputMs * 1000,
  ],
  ['nv_cache_num_hits_per_model', 'Answers from the response cache.', (of) => of.cached],
];

type Evidence = NonNullable<DeploymentView['targets'][number]['evidence']>;

/** The evidence of the estimates of run times. */
const EVIDENCE: readonly (readonly [
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  value: (of: Evidence) => number,
])[] = [
  ['skein_estimate_runs', 'gauge', 'Measured runs that estimates rest on.', (of) => of.runs],
  ['skein_estimate_sizes', 'gauge', 'Sizes of inputs with measured runs.', (of) => of.sizes],
  [
    'skein_probes_total',
    'counter',
    'Requests of a size that had not run, accepted to measure it.',
    (of) => of.probes,
  ],
];

export function exposeDeployments(
  series: ServingSeries,
  views: readonly DeploymentView[],
  now: Instant,
  into: Exposition,
): void {
  const deployments = [...series.deployments.values()];
  const versions = deployments.flatMap((each) => [...each.versions.values()]);

  for (const [name, help, value] of COUNTERS) {
    into.family(name, 'counter', help);
    for (const version of versions) into.sample(version.labels, value(version));
  }
  into.family('skein_requests_refused_total', 'counter', 'Requests refused or failed, by reason.');
  for (const { labels, refused } of deployments) {
    for (const [code, count] of refused) into.sample(`${labels},${labelled({ code })}`, count);
  }
  into.family(
    'skein_scaling_decisions_total',
    'counter',
    'Changes of the number of replicas, by direction and cause.',
  );
  for (const { labels, scalings } of versions) {
    for (const [kind, count] of scalings) {
      const [direction = '', cause = ''] = kind.split(' ');
      into.sample(`${labels},${labelled({ direction, cause })}`, count);
    }
  }
  for (const [name, help, value, unit] of HISTOGRAMS) {
    into.family(name, 'histogram', help);
    for (const version of versions) expose(value(version), version.labels, unit, into);
  }
  exposeObjectives(deployments, views, now, into);
  exposeTargets(views, into);
  exposeTriton(deployments, versions, views, into);
}

function exposeObjectives(
  deployments: readonly DeploymentSeries[],
  views: readonly DeploymentView[],
  now: Instant,
  into: Exposition,
): void {
  into.family('skein_objective_seconds', 'gauge', 'Promised latency, in seconds.');
  for (const { name, settings } of views) {
    const quantile = String(settings.objective.quantile);
    into.sample(labelled({ deployment: name, quantile }), settings.objective.latencyMs / 1000);
  }
  into.family('skein_goodput_per_second', 'gauge', 'In-time answers per second, last minute.');
  for (const { labels, objective } of deployments) {
    const { kept, seconds } = attainment(objective, 1, now);
    into.sample(labels, seconds > 0 ? kept / seconds : 0);
  }
  into.family(
    'skein_slo_attainment_ratio',
    'gauge',
    'Share of requests answered inside their deadline; NaN without traffic.',
  );
  for (const { labels, objective } of deployments) {
    for (const [window, minutes] of WINDOWS) {
      const { kept, total } = attainment(objective, minutes, now);
      into.sample(`${labels},${labelled({ window })}`, kept / total);
    }
  }
  into.family(
    'skein_error_budget_burn_rate',
    'gauge',
    'Speed at which the error budget of the objective is spent; 1 is exactly all of it.',
  );
  const quantiles = new Map(views.map((view) => [view.name, view.settings.objective.quantile]));
  for (const { name, labels, objective } of deployments) {
    const quantile = quantiles.get(name);
    if (quantile === undefined) continue;
    for (const [window, minutes] of WINDOWS) {
      const burn = burnRate(attainment(objective, minutes, now), quantile);
      into.sample(`${labels},${labelled({ window })}`, burn);
    }
  }
}

function exposeTargets(views: readonly DeploymentView[], into: Exposition): void {
  const targets = views.flatMap(({ name, targets }) =>
    targets.map((target) => ({
      target,
      labels: labelled({ deployment: name, version: target.version }),
    })),
  );
  into.family('skein_queue_requests', 'gauge', 'Requests that wait.');
  for (const { labels, target } of targets) into.sample(labels, target.queuedRequests);
  into.family('skein_in_flight_rows', 'gauge', 'Rows that run.');
  for (const { labels, target } of targets) into.sample(labels, target.inFlightRows);
  into.family(
    'skein_predicted_delay_seconds',
    'gauge',
    'Estimated wait of a request that arrived now, in seconds.',
  );
  for (const { labels, target } of targets) into.sample(labels, target.predictedDelayMs / 1000);
  for (const [name, type, help, value] of EVIDENCE) {
    into.family(name, type, help);
    for (const { labels, target } of targets) {
      if (target.evidence !== undefined) into.sample(labels, value(target.evidence));
    }
  }
  into.family('skein_traffic_weight', 'gauge', 'Weight of the version in the traffic split.');
  for (const { labels, target } of targets) into.sample(labels, target.weight);
  into.family('skein_replicas', 'gauge', 'Replicas by state.');
  for (const { labels, target } of targets) {
    for (const state of ReplicaState.options) {
      if (state === 'gone') continue;
      const count = target.replicas.filter((replica) => replica.state === state).length;
      into.sample(`${labels},${labelled({ state })}`, count);
    }
  }
}

function exposeTriton(
  deployments: readonly DeploymentSeries[],
  versions: readonly VersionSeries[],
  views: readonly DeploymentView[],
  into: Exposition,
): void {
  for (const [name, help, value] of TRITON) {
    into.family(name, 'counter', help);
    for (const version of versions) into.sample(version.tritonLabels, value(version));
  }
  into.family('nv_inference_request_failure', 'counter', 'Requests refused or failed, by reason.');
  for (const { name, refused } of deployments) {
    const byReason = new Map<string, number>();
    for (const [code, count] of refused) {
      const reason = tritonReason(code);
      byReason.set(reason, (byReason.get(reason) ?? 0) + count);
    }
    for (const [reason, count] of byReason) into.sample(labelled({ model: name, reason }), count);
  }
  into.family('nv_inference_pending_request_count', 'gauge', 'Requests that wait.');
  for (const { name, targets } of views) {
    for (const { version, queuedRequests } of targets) {
      into.sample(labelled({ model: name, version }), queuedRequests);
    }
  }
}

/** Refusals and failures that the model caused, not the node. */
const BACKEND: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_LOST',
  'RUN_TIMEOUT',
  'MODEL_MEMORY',
  'INPUT_REJECTED',
  'INTERNAL',
]);

function tritonReason(code: ErrorCode): 'REJECTED' | 'CANCELED' | 'BACKEND' | 'OTHER' {
  if (code === 'CANCELLED') return 'CANCELED';
  if (BACKEND.has(code)) return 'BACKEND';
  return ERRORS[code].kind === 'load' ? 'REJECTED' : 'OTHER';
}
