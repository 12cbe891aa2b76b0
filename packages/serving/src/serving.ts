/**
 * The serving plane of a node: its deployments, the routing of requests, and the changes. Continue
 * in `deployment.ts` for requests, in `changes.ts` for changes.
 */
import { SkeinError, type DeploymentView, type MemberLoad } from '@skein/api';
import type { Runtime } from '@skein/runtime';
import type { State } from '@skein/state';
import type { WeightOf } from './dispatch/queue/deadline-queue.ts';
import type { Registry } from './registry/contract.ts';
import { createChanges } from './changes/changes.ts';
import { callersOf } from './composition/call-graph.ts';
import { existing, type ServingContext } from './context.ts';
import type {
  Clock,
  DeployedModel,
  Inference,
  InferenceAnswer,
  InferenceRequest,
  Instant,
  Prediction,
  ServingObserver,
} from './contract.ts';
import type { DeploymentControl } from './control.ts';
import type { Deployment } from './deployment/deployment.ts';
import { createEventBus, type EventBus } from './monitoring/events.ts';
import { createJournal } from './monitoring/journal.ts';
import { loadedVersions, memberLoad, type LoadedVersion } from './scaling/member-load.ts';
import { createFollower, type DesiredDeployments } from './follow/follower.ts';
import type { Placing } from './follow/placing.ts';
import { placesOf } from './follow/residence.ts';
import { storeSettings } from './follow/stored-settings.ts';
import { memoryUse, type MemoryUse } from './scaling/memory-use.ts';
import { unknownModel } from './deployment/no-target.ts';
import {
  noteInterruptions,
  readDeployments as readStored,
  registerDesired,
  restoreDeployments,
  type StoredDeployment,
} from './changes/restore.ts';
import type { RolloutPeers, RolloutReport } from './rollout/peers.ts';
import { createScalingLoop } from './scaling/scaling-loop.ts';
import type { ServingLog } from './serving-log.ts';
import { targetFactory, type MakeTarget } from './deployment/target-factory.ts';
import { viewOf } from './deployment/view.ts';

export interface ServingOptions {
  readonly state: State;
  readonly registry: Registry;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly observer: ServingObserver;
  /** Cores that replicas may use; threads × replicas stay within them. */
  readonly cores: number;
  /** Default: the dispatcher for ONNX versions, a worker for compositions. */
  readonly makeTarget?: MakeTarget | undefined;
  readonly log?: ServingLog | undefined;
  /** Weights of tenants; equal if absent. */
  readonly weightOf?: WeightOf | undefined;
  /** Whether every model runs in its own process, whatever its settings are. */
  readonly isolateModels?: boolean | undefined;
  /** The deployments of a fleet, which this node follows. Default: its own state's. */
  readonly desired?: DesiredDeployments | undefined;
  /** The other members of that fleet, which carry out rollouts together. */
  readonly peers?: RolloutPeers | undefined;
  /** Which deployments this node holds, where others answer for the rest; absent: all of them. */
  readonly placing?: Placing | undefined;
  /** Where the calls of compositions go. Default: to this node. */
  readonly calls?: Inference['infer'] | undefined;
  /** In [0, 1); for the traffic split and the shadow's sample. */
  readonly random?: (() => number) | undefined;
}

export interface Serving extends Inference, DeploymentControl {
  /** When a request would be answered here, if it arrived now; only the shapes of its inputs are read. */
  predict(request: InferenceRequest): Prediction;
  readonly events: EventBus;
  /** The load that the fleet reads. @param startMs how long the node took to start; null: it has not. */
  load(startMs: number | null): MemberLoad;
  loaded(): LoadedVersion[];
  /** Memory of the loaded models. */
  memory(): MemoryUse;
  /** This member's reports to the others about rollouts, by deployment. */
  rolloutReports(): Record<string, RolloutReport>;
  /** Reads the deployments from the state; from then on they are known, but not ready. */
  readDeployments(): Promise<unknown>;
  /** Restores them; resolves when each one is warm, idle or failed. */
  start(): Promise<void>;
  /** Loads nothing more: changes in progress end with NODE_DRAINING. Serving versions continue. */
  stopChanges(): void;
  /**
   * Rejects new requests, finishes the accepted ones and ends every replica.
   * @param by requests unanswered by then are failed.
   */
  drain(by?: Instant): Promise<void>;
}

export function createServing(options: ServingOptions): Serving {
  const { state, registry, clock, observer, cores } = options;
  const log: ServingLog = options.log ?? (() => {});
  const weightOf = options.weightOf ?? (() => 1);
  const events = createEventBus();
  const journal = createJournal(state, events, log);
  const deployments = new Map<string, Deployment>();
  const { isolateModels = false } = options;
  const closing = new AbortController();
  let isDraining = false;

  const infer = (request: InferenceRequest): Promise<InferenceAnswer> => {
    // Calls of compositions continue: they belong to requests that were accepted before.
    if (isDraining && request.protocol !== 'internal') {
      return refuse(request, new SkeinError('NODE_DRAINING', 'The node is shutting down.'));
    }
    const deployment = deployments.get(request.deployment);
    if (deployment === undefined) return refuse(request, unknownModel(request.deployment));
    const { memory } = request;
    if (memory === undefined) return deployment.infer(request);
    return deployment.infer(request).finally(memory.retain());
  };

  const refuse = (request: InferenceRequest, error: SkeinError): Promise<never> => {
    observer.refused(request, error, clock.now());
    return Promise.reject(error);
  };

  const context: ServingContext = {
    state,
    registry,
    clock,
    observer,
    cores,
    makeTarget:
      options.makeTarget ??
      targetFactory({
        runtime: options.runtime,
        clock,
        log,
        weightOf,
        isolateModels,
        infer: options.calls ?? infer,
      }),
    random: options.random ?? Math.random,
    events,
    journal,
    log,
    deployments,
    peers: options.peers,
    placing: options.placing,
    inMemory: new Map(),
    waitingForMemory: new Set(),
    runs: new Map(),
    changing: new Map(),
    mayChange: () => options.desired?.mayChange(),
    loading: new Map(),
    draining: new Map(),
    unwanted: new Set(),
    closing: closing.signal,
    isolateModels,
  };
  const changes = createChanges(context);
  const scaling = createScalingLoop(context);
  const { desired } = options;
  const follower = desired && createFollower(context, desired);

  const named = (name: string): Deployment => existing(context, name);
  const view = (name: string): DeploymentView => viewOf(named(name), clock.now());

  /** A change is in the history before it is acknowledged. */
  const written = async (change: Promise<void>): Promise<void> => {
    await change;
    await journal.settled();
  };

  let stored: Promise<StoredDeployment[]> | undefined;
  const readDeployments = (): Promise<readonly StoredDeployment[]> =>
    (stored ??=
      desired === undefined
        ? readStored(context)
        : Promise.all(desired.current().map((each) => registerDesired(context, each))));

  return {
    events,
    load: (startMs) => memberLoad(deployments, startMs, clock.now()),
    loaded: () => loadedVersions(context),
    memory: () => memoryUse(context),
    rolloutReports: () =>
      Object.fromEntries([...context.runs].map(([name, run]) => [name, run.report()])),
    infer,
    predict(request) {
      if (isDraining) {
        return { refusal: new SkeinError('NODE_DRAINING', 'The node is shutting down.') };
      }
      const deployment = deployments.get(request.deployment);
      if (deployment === undefined) return { refusal: unknownModel(request.deployment) };
      return deployment.predict(request);
    },
    describe(name, version) {
      const deployment = deployments.get(name);
      if (deployment === undefined) throw unknownModel(name);
      return deployment.describe(version);
    },
    list() {
      const models: DeployedModel[] = [];
      for (const deployment of deployments.values()) {
        if (deployment.isKnown) models.push(deployment.describe());
      }
      return models;
    },
    isReady: (name, version) => deployments.get(name)?.isReady(version) ?? false,

    check: (request) => changes.check(request),
    async deploy(request, actor) {
      await written(changes.deploy(request, actor));
      return view(request.name);
    },
    async changeSettings(name, settings, actor) {
      const isElsewhere = deployments.get(name)?.elsewhere !== undefined;
      await written(
        isElsewhere
          ? storeSettings(context, name, settings, actor)
          : changes.changeSettings(name, settings, actor),
      );
      return view(name);
    },
    async rollback(name, reason, actor) {
      await written(changes.rollback(name, reason, actor));
      return view(name);
    },
    unload: (name, actor) => written(changes.unload(name, actor)),
    undeploy: (name, actor) => written(changes.undeploy(name, actor)),
    view,
    views: () => [...deployments.values()].map((deployment) => viewOf(deployment, clock.now())),
    evidence: async (name) =>
      (await context.runs.get(name)?.evidence()) ?? named(name).evidence ?? null,
    traffic: (name, range) => named(name).observer.traffic(range, clock.now()),

    readDeployments,
    async start() {
      const found = await readDeployments();
      // In a fleet a rollout belongs to no single node.
      if (desired === undefined) await noteInterruptions(context, found);
      const places = placesOf(context, desired?.current() ?? []);
      await restoreDeployments(context, found, places);
      scaling.start();
      follower?.start();
    },
    stopChanges() {
      closing.abort();
      for (const target of context.loading.keys()) void target.drain(clock.now());
    },
    async drain(by) {
      isDraining = true;
      this.stopChanges();
      scaling.stop();
      follower?.stop();
      const runs = [...context.runs.values()];
      await Promise.all(runs.map((run) => run.leave()));
      for (const target of context.draining.keys()) void target.drain(by);
      await drainInOrder(deployments, by);
      await Promise.all(context.draining.values());
      await journal.settled();
    },
  };
}

/** Ends deployments once no composition calls them any more: compositions before their callees. */
async function drainInOrder(
  deployments: ReadonlyMap<string, Deployment>,
  by: Instant | undefined,
): Promise<void> {
  const left = new Map(deployments);
  while (left.size > 0) {
    const uncalled = [...left.values()].filter(
      ({ name }) => callersOf(name, left.values()).length === 0,
    );
    // The call graph has no cycle; if there is one nevertheless, end all of them.
    const next = uncalled.length > 0 ? uncalled : [...left.values()];
    await Promise.all(
      next.flatMap(({ live }) => [...live.values()].map(({ target }) => target.drain(by))),
    );
    for (const { name } of next) left.delete(name);
  }
}
