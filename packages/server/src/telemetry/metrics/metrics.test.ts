import { spawnSync } from 'node:child_process';
import { DeploymentSettings, SkeinError, type DeploymentView, type ErrorCode } from '@skein/api';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SharedBudget } from '@skein/api/shared-budget';
import type { InferenceAnswer } from '@skein/serving';
import type { ScalingCause, TargetRequest } from '@skein/serving/contract';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { createMetrics, type Metrics } from './metrics.ts';

const prometheus = requireComponent('python3-prometheus-client');

let now: number;
let views: DeploymentView[];
let metrics: Metrics;
beforeEach(() => {
  now = 0;
  views = [];
  metrics = createMetrics({ clock: { now: () => now }, views: () => views, version: '1.2.3' });
});
afterEach(() => metrics.close());

const request = (changes: Partial<TargetRequest> = {}): TargetRequest => ({
  id: 'r',
  deployment: 'risk',
  inputs: new Map(),
  arrivedAt: now,
  deadline: now + 100,
  priority: 0,
  tenant: 't',
  protocol: 'http',
  ...changes,
});
const answer = (queueMs: number, computeMs: number, cached = false): InferenceAnswer => ({
  version: '1',
  outputs: new Map(),
  times: { queueMs, computeMs, batchRows: 1 },
  cached,
});
const refuse = (code: ErrorCode, deployment = 'risk') =>
  metrics.observer.refused(request({ deployment }), new SkeinError(code, ''), now);

function view(name: string, targets: DeploymentView['targets'] = []): DeploymentView {
  return {
    name,
    kind: 'onnx',
    status: 'ready',
    reason: '',
    revision: 1,
    settings: DeploymentSettings.parse({ objective: { latencyMs: 250, quantile: 0.9 } }),
    signature: { inputs: [], outputs: [] },
    targets,
    last: {
      requestsPerSecond: 0,
      goodputPerSecond: 0,
      sloAttainment: null,
      p50Ms: null,
      p99Ms: null,
      shedPerSecond: 0,
    },
    updatedAt: '',
  };
}
const target = (version: string): DeploymentView['targets'][number] => ({
  version,
  weight: 0.75,
  digest: '',
  replicas: [
    { id: 'a', state: 'ready', busy: true, runs: 3 },
    { id: 'b', state: 'ready', busy: false, runs: 3 },
    { id: 'c', state: 'loading', busy: false, runs: 0 },
    { id: 'd', state: 'gone', busy: false, runs: 0, failure: 'crashed' },
  ],
  queuedRequests: 7,
  inFlightRows: 5,
  predictedDelayMs: 40,
  answered: 0,
  answeredInTime: 0,
  refused: {},
  latencies: [],
});

/** The value of a sample by its name and labels on the page. */
function sample(series: string): number | undefined {
  const line = metrics
    .render()
    .split('\n')
    .find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe('the counters of a request', () => {
  it('adds an answer to the counters and to every stage', () => {
    metrics.observer.answered(request(), answer(30, 12), 45);
    metrics.observer.answered(request(), answer(80, 25), 150); // On a bound: `le` includes it.
    const labels = '{deployment="risk",version="1"}';
    expect(sample(`skein_requests_answered_total${labels}`)).toBe(2);
    expect(sample(`skein_requests_in_time_total${labels}`)).toBe(1);
    expect(sample(`skein_request_duration_seconds_sum${labels}`)).toBeCloseTo(0.195, 9);
    expect(sample(`skein_queue_duration_seconds_sum${labels}`)).toBeCloseTo(0.11, 9);
    expect(sample(`skein_compute_duration_seconds_sum${labels}`)).toBeCloseTo(0.037, 9);
    const bucket = (le: string) =>
      sample(`skein_request_duration_seconds_bucket{deployment="risk",version="1",le="${le}"}`);
    expect([
      bucket('0.025'),
      bucket('0.05'),
      bucket('0.1'),
      bucket('0.15'),
      bucket('+Inf'),
    ]).toEqual([0, 1, 1, 2, 2]);
  });

  it('keeps cached answers out of queue and compute', () => {
    metrics.observer.answered(request(), answer(0, 0, true), 1);
    const labels = '{deployment="risk",version="1"}';
    expect(sample(`skein_requests_cached_total${labels}`)).toBe(1);
    expect(sample(`skein_compute_duration_seconds_count${labels}`)).toBe(0);
    expect(sample(`skein_request_duration_seconds_count${labels}`)).toBe(1);
    expect(sample('nv_cache_num_hits_per_model{model="risk",version="1"}')).toBe(1);
  });

  it('counts refusals by code, and only the node’s own against the objective', () => {
    views = [view('risk')];
    for (let count = 0; count < 8; count += 1)
      metrics.observer.answered(request(), answer(1, 1), 2);
    const theirs: ErrorCode[] = ['INPUT_SHAPE', 'CANCELLED', 'RATE_LIMITED', 'QUOTA_EXCEEDED'];
    theirs.forEach((code) => refuse(code));
    const attained = 'skein_slo_attainment_ratio{deployment="risk",window="5m"}';
    expect(sample(attained)).toBe(1);
    const ours: ErrorCode[] = ['DEADLINE_UNREACHABLE', 'QUEUE_FULL'];
    ours.forEach((code) => refuse(code));
    expect(sample(attained)).toBe(0.8);
    // A tenth may miss the objective, a fifth did.
    expect(sample('skein_error_budget_burn_rate{deployment="risk",window="1h"}')).toBeCloseTo(2, 9);
    expect(sample('skein_requests_refused_total{deployment="risk",code="QUEUE_FULL"}')).toBe(1);
    expect(sample('nv_inference_request_failure{model="risk",reason="REJECTED"}')).toBe(4);
    expect(sample('nv_inference_request_failure{model="risk",reason="CANCELED"}')).toBe(1);
    expect(sample('nv_inference_request_failure{model="risk",reason="OTHER"}')).toBe(1);
  });

  it('expires old events in the windows, not in the counters', () => {
    views = [view('risk')];
    refuse('QUEUE_FULL');
    now = 10 * 60_000;
    expect(sample('skein_slo_attainment_ratio{deployment="risk",window="5m"}')).toBeNaN();
    expect(sample('skein_slo_attainment_ratio{deployment="risk",window="1h"}')).toBe(0);
    expect(sample('skein_requests_refused_total{deployment="risk",code="QUEUE_FULL"}')).toBe(1);
  });

  it('counts runs and their rows as Triton does', () => {
    metrics.observer.batchRan('risk', '1', 8, { inputMs: 0.5, computeMs: 20, outputMs: 0.25 });
    metrics.observer.batchRan('risk', '1', 3, { inputMs: 0.5, computeMs: 10, outputMs: 0.25 });
    expect(sample('nv_inference_count{model="risk",version="1"}')).toBe(11);
    expect(sample('nv_inference_exec_count{model="risk",version="1"}')).toBe(2);
    expect(sample('skein_batch_rows_bucket{deployment="risk",version="1",le="4"}')).toBe(1);
  });

  it('counts a replica that failed, not one that was drained', () => {
    const replica = { id: 'a', busy: false, since: 0, runs: 0 };
    metrics.observer.replicaChanged('risk', '1', { ...replica, state: 'ready' });
    metrics.observer.replicaChanged('risk', '1', { ...replica, state: 'gone' });
    metrics.observer.replicaChanged('risk', '1', { ...replica, state: 'gone', failure: 'abort' });
    expect(sample('skein_replica_failures_total{deployment="risk",version="1"}')).toBe(1);
  });

  it('counts the steps of the autoscaler, by direction and cause', () => {
    const step = (from: number, to: number, cause: ScalingCause, version = '1') =>
      metrics.observer.scaled!({ deployment: 'risk', version, from, to, cause });
    step(1, 3, 'demand');
    step(3, 4, 'pressure');
    step(1, 2, 'demand');
    step(4, 2, 'quiet');
    step(0, 1, 'woken', '2');
    const counted = (version: string, direction: string, cause: string) =>
      sample(
        `skein_scaling_decisions_total{deployment="risk",version="${version}",direction="${direction}",cause="${cause}"}`,
      );
    expect(counted('1', 'up', 'demand')).toBe(2);
    expect(counted('1', 'up', 'pressure')).toBe(1);
    expect(counted('1', 'down', 'quiet')).toBe(1);
    expect(counted('2', 'up', 'woken')).toBe(1);
    expect(counted('1', 'up', 'woken')).toBeUndefined();
  });

  it('shows queues, replicas and goodput with their current values', () => {
    views = [view('risk', [target('1')])];
    now = 30_000;
    for (let count = 0; count < 60; count += 1) {
      metrics.observer.answered(request(), answer(1, 1), now);
    }
    expect(sample('skein_goodput_per_second{deployment="risk"}')).toBe(2);
    expect(sample('skein_replicas{deployment="risk",version="1",state="ready"}')).toBe(2);
    expect(sample('skein_replicas{deployment="risk",version="1",state="loading"}')).toBe(1);
    expect(sample('skein_replicas{deployment="risk",version="1",state="draining"}')).toBe(0);
    expect(sample('skein_queue_requests{deployment="risk",version="1"}')).toBe(7);
    expect(sample('nv_inference_pending_request_count{model="risk",version="1"}')).toBe(7);
    expect(sample('skein_predicted_delay_seconds{deployment="risk",version="1"}')).toBe(0.04);
    expect(sample('skein_objective_seconds{deployment="risk",quantile="0.9"}')).toBe(0.25);
  });
});

describe('the number of series', () => {
  it('does not grow with names from clients', () => {
    refuse('MODEL_UNKNOWN', 'a');
    const before = metrics.render().split('\n').length;
    for (let count = 0; count < 2000; count += 1) refuse('MODEL_UNKNOWN', `model-${count}`);
    expect(metrics.render().split('\n')).toHaveLength(before);
    expect(sample('skein_requests_refused_total{deployment="(other)",code="MODEL_UNKNOWN"}')).toBe(
      2001,
    );
  });

  it('stays bounded for any deployments, and loses no count', () => {
    for (let count = 0; count < 3000; count += 1) {
      metrics.observer.batchRan('risk', String(count), 1, {
        inputMs: 0.5,
        computeMs: 1,
        outputMs: 0.25,
      });
      metrics.observer.batchRan(`d${count}`, '1', 1, {
        inputMs: 0.5,
        computeMs: 1,
        outputMs: 0.25,
      });
    }
    const counts = metrics
      .render()
      .split('\n')
      .filter((line) => line.startsWith('nv_inference_exec_count{'));
    expect(counts.length).toBeLessThan(600);
    expect(counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)).toBe(6000);
  });

  it('drops a version an hour after its last traffic, unless it is deployed', () => {
    metrics.observer.answered(request(), answer(1, 1), 0);
    metrics.observer.answered(request(), { ...answer(1, 1), version: '2' }, 0);
    metrics.observer.answered(request({ deployment: 'gone' }), answer(1, 1), 0);
    views = [view('risk', [target('2')])];
    now = 3_600_000;
    expect(sample('skein_requests_answered_total{deployment="risk",version="1"}')).toBe(1);
    now += 1;
    const page = metrics.render();
    expect(page).not.toContain('version="1"}');
    expect(page).not.toContain('"gone"');
    expect(sample('skein_requests_answered_total{deployment="risk",version="2"}')).toBe(1);
  });
});

describe.skipIf(prometheus.skip)(`the page, read by prometheus_client ${prometheus.reason}`, () => {
  const script = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
names = [f.name for f in families]
assert len(names) == len(set(names)), 'a family comes twice'
samples = [(s.name, sorted(s.labels.items())) for f in families for s in f.samples]
assert len(samples) == len(set(map(str, samples))), 'a sample comes twice'
for f in families:
    assert f.type != 'unknown' and f.documentation, f.name
    if f.type != 'histogram': continue
    last = {}
    for s in f.samples:
        key = str(sorted((k, v) for k, v in s.labels.items() if k != 'le'))
        if s.name.endswith('_bucket'):
            bound = float(s.labels['le'])
            assert key not in last or (bound > last[key][0] and s.value >= last[key][1]), s
            last[key] = (bound, s.value)
        elif s.name.endswith('_count'):
            assert last[key] == (float('inf'), s.value), s
print(json.dumps({f.name: [f.type, [[s.labels, s.value] for s in f.samples if s.value == s.value]] for f in families}))
`;
  function parse(page: string): Record<string, [string, [Record<string, string>, number][]]> {
    const { status, stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', script], {
      input: page,
    });
    expect(stderr.toString()).toBe('');
    expect(status).toBe(0);
    return JSON.parse(stdout.toString()) as ReturnType<typeof parse>;
  }

  it('is valid with nothing deployed', () => {
    const families = parse(metrics.render());
    expect(families['skein_build_info']).toEqual([
      'gauge',
      [[{ version: '1.2.3', node: process.version }, 1]],
    ]);
    expect(families['process_resident_memory_bytes']?.[1][0]?.[1]).toBeGreaterThan(1e7);
    expect(families['process_cpu_seconds']?.[0]).toBe('counter');
  });

  it('is valid with traffic, and has the counted values', () => {
    views = [view('risk', [target('1'), target('2')]), view('idle')];
    const times = fc.sample(fc.double({ min: 0, max: 60_000, noNaN: true }), 200);
    for (const ms of times) metrics.observer.answered(request(), answer(ms, ms / 2), ms * 2);
    metrics.observer.batchRan('risk', '1', 4, { inputMs: 0.5, computeMs: 10, outputMs: 0.25 });
    refuse('QUEUE_FULL');
    refuse('MODEL_UNKNOWN', 'x"\\\n}');
    const families = parse(metrics.render());
    expect(families['skein_requests_answered']).toEqual([
      'counter',
      [[{ deployment: 'risk', version: '1' }, 200]],
    ]);
    expect(families['nv_inference_request_success']?.[1]).toEqual([
      [{ model: 'risk', version: '1' }, 200],
    ]);
  });

  it('is valid with any name', () => {
    for (const name of fc.sample(fc.string({ unit: 'binary', minLength: 1 }), 50)) {
      metrics.observer.batchRan(name, name, 1, { inputMs: 0.5, computeMs: 1, outputMs: 0.25 });
    }
    metrics.observer.batchRan('back\\slash "quote"\nline', '1', 1, {
      inputMs: 0.5,
      computeMs: 1,
      outputMs: 0.25,
    });
    const labels = parse(metrics.render())['nv_inference_exec_count']?.[1].map(([each]) => each);
    expect(labels).toContainEqual({ model: 'back\\slash "quote"\nline', version: '1' });
  });
});

it('shows what tenants hold and may hold, the largest by name and the rest as one', () => {
  const budget = new SharedBudget({
    name: 'bodies',
    unit: 'bytes',
    max: 10_000,
    shareOf: () => 1 / 2,
    refuse: () => new SkeinError('BODIES_TOO_LARGE', ''),
  });
  const made = createMetrics({
    clock: { now: () => 0 },
    views: () => [],
    version: '1.2.3',
    budgets: [budget],
  });
  budget.take('ward', 1000);
  for (let count = 0; count < 60; count += 1) budget.take(`t${count}`, 10);
  const page = made.render();
  made.close();
  expect(page).toContain('skein_budget_max{budget="bodies"} 10000\n');
  expect(page).toContain('skein_budget_held{budget="bodies",tenant="ward"} 1000\n');
  expect(page).toContain('skein_budget_limit{budget="bodies",tenant="ward"} 4700\n');
  expect(page).toContain('skein_budget_held{budget="bodies",tenant="(others)"} 110\n');
  expect(page.match(/skein_budget_held\{/g)).toHaveLength(51);
});
