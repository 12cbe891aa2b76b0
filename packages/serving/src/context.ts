/** State that the parts of the serving plane share. */
import { type RolloutEvidence, SkeinError } from '@skein/api';
import type { State } from '@skein/state';
import type { Registry } from './registry/contract.ts';
import type { Clock, ServingObserver, Target } from './contract.ts';
import type { Deployment } from './deployment/deployment.ts';
import type { EventBus } from './monitoring/events.ts';
import type { Placing } from './follow/placing.ts';
import type { Journal } from './monitoring/journal.ts';
import type { LiveTarget } from './deployment/live-target.ts';
import type { RolloutPeers, RolloutReport } from './rollout/peers.ts';
import type { EffectiveSettings } from './deployment/settings.ts';
import type { ServingLog } from './serving-log.ts';
import type { MakeTarget } from './deployment/target-factory.ts';

/** A rollout in progress, for the parts of a node that end it or report on it. */
export interface RunningRollout {
  readonly settings: EffectiveSettings;
  report(): RolloutReport;
  evidence(): Promise<RolloutEvidence>;
  abort(reason: string, actor: string): Promise<void>;
  /** Follows the row that another member changed. */
  follow(): Promise<void>;
  leave(): Promise<void>;
}

export interface ServingContext {
  readonly state: State;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly observer: ServingObserver;
  /** Cores that replicas may use on this node. */
  readonly cores: number;
  readonly makeTarget: MakeTarget;
  /** In [0, 1). */
  readonly random: () => number;
  readonly events: EventBus;
  readonly journal: Journal;
  readonly log: ServingLog;
  readonly deployments: Map<string, Deployment>;
  /** The other members of a fleet; absent: this node is alone, and its rollouts are its own. */
  readonly peers: RolloutPeers | undefined;
  /** Rollouts in progress, by deployment. */
  readonly runs: Map<string, RunningRollout>;
  /** Changes in progress, by deployment; each resolves with whether the change was made. */
  readonly changing: Map<string, Promise<boolean>>;
  /** @throws SkeinError when deployments cannot be changed now, such as while the fleet's store is away. */
  readonly mayChange: () => void;
  /** Targets that are starting, by deployment; a node that ends does not wait for them. */
  readonly loading: Map<Target, string>;
  /** Targets that finish their accepted requests; the node waits for them before it ends. */
  readonly draining: Map<Target, Promise<void>>;
  /** Which deployments this node holds; absent: all of them. */
  readonly placing: Placing | undefined;
  /** Versions that take memory, by deployment: until their last replica has ended. */
  readonly inMemory: Map<LiveTarget, string>;
  /** The deployments among them whose loading waits until other models have freed memory. */
  readonly waitingForMemory: Set<LiveTarget>;
  /** Deployments whose change in progress was aborted: they load no more versions. */
  readonly unwanted: Set<string>;
  /** Aborted when the node ends. */
  readonly closing: AbortSignal;
  /** Whether every model runs in its own process. */
  readonly isolateModels: boolean;
}

/** @throws SkeinError MODEL_UNKNOWN. */
export function existing(
  { deployments }: Pick<ServingContext, 'deployments'>,
  name: string,
): Deployment {
  const deployment = deployments.get(name);
  if (deployment === undefined) {
    throw new SkeinError('MODEL_UNKNOWN', `There is no deployment "${name}".`);
  }
  return deployment;
}
