/** The serving plane of a node, with what observes it: metrics, statistics, the access log, traces. */
import type { SharedBudget } from '@skein/api/shared-budget';
import type { WrapGateway } from '../telemetry/traces/traced-gateway.ts';
import { nativeRuntime } from '@skein/runtime';
import type { Certificates, Exposition } from '@skein/http';
import { createServing, type Inference, type RolloutPeers } from '@skein/serving';
import { createModelStatistics } from '../gateway/oip/statistics.ts';
import { accessLog } from '../telemetry/access-log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics/metrics.ts';
import { combineObservers } from '../telemetry/observer.ts';
import { startTracing } from '../telemetry/traces/tracing.ts';
import { VERSION } from '../version.ts';
import type { FleetPlacing } from '../fleet/placing.ts';
import type { Callers } from './callers.ts';
import { type ForwardingComponent, type MembersView, openForwarding } from './forwarding.ts';
import type { Opening } from './component.ts';
import type { StorageComponent } from './storage.ts';
import type { SharedState } from './shared-state.ts';

export interface InferenceComponent {
  readonly serving: ReturnType<typeof createServing>;
  /** The same with traces, where they are exported. */
  readonly inference: Inference;
  readonly statistics: ReturnType<typeof createModelStatistics>;
  readonly metrics: Metrics;
  /** Records the requests to language models, where traces are exported. */
  readonly tracedGateway: WrapGateway;
  /** Sends what this node refuses to other members; absent without a fleet. */
  readonly forwarding: ForwardingComponent | undefined;
}

export interface InferenceComponentOptions {
  readonly storage: StorageComponent;
  readonly callers: Callers;
  readonly shared: SharedState | undefined;
  /** In a fleet: the other members, for rollouts. */
  readonly peers: RolloutPeers | undefined;
  readonly certificates: Certificates | undefined;
  readonly members: MembersView;
  readonly cores: number;
  /** Shown among the metrics. */
  readonly budgets: readonly SharedBudget[];
  readonly placing: FleetPlacing | undefined;
  /** Adds metric families of other components. */
  readonly expose: (into: Exposition) => void;
}

export async function openInference(
  opening: Opening,
  {
    storage,
    callers,
    shared,
    peers,
    placing,
    certificates,
    members,
    cores,
    budgets,
    expose,
  }: InferenceComponentOptions,
): Promise<InferenceComponent> {
  const { options, logger, lifecycle, clock } = opening;
  const views = (): ReturnType<typeof serving.views> => serving.views();
  const metrics = createMetrics({ clock, version: VERSION, views, budgets, expose });
  lifecycle.open('metrics', () => metrics.close());
  const statistics = createModelStatistics();
  const serving = createServing({
    state: storage.state,
    registry: storage.registry,
    runtime: nativeRuntime,
    clock,
    cores,
    observer: combineObservers([metrics.observer, statistics, accessLog(logger)]),
    log: (message, details) => logger.warn(details, message),
    weightOf: callers.weightOf,
    desired: shared?.desired,
    peers,
    placing,
    // A deployment that a composition calls may be on another member, and is a part of its trace.
    calls: (request) => inference.infer(request),
    isolateModels: options.isolateModels,
  });
  const tracing = await startTracing({
    endpoint: options.otlpEndpoint,
    version: VERSION,
    warn: (message) => logger.warn({}, message),
  });
  if (tracing !== undefined) lifecycle.open('tracing', () => tracing.close());
  const traced = (inner: Inference): Inference => tracing?.wrap(inner) ?? inner;
  const components = { serving, traced, callers, certificates, members, placing, storage };
  const forwarding: ForwardingComponent | undefined = openForwarding(opening, components);
  const inference: Inference = traced(forwarding?.inference ?? serving);
  return {
    serving,
    inference,
    statistics,
    metrics,
    tracedGateway: (gateway, systemOf) => tracing?.wrapGateway(gateway, systemOf) ?? gateway,
    forwarding,
  };
}
