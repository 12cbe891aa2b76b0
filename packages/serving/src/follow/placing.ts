/**
 * The placement of deployments on members, as a node of a fleet reads it. The policy is in
 * `packages/fleet`; a node without other members to forward to holds everything.
 */
import type { DeploymentRecord, VersionRecord } from '@skein/state';
import type { Instant } from '../contract.ts';

/** A deployment as it is stored, with the versions that take its traffic. */
export interface DesiredDeployment {
  readonly row: DeploymentRecord;
  /** Versions of its targets; one that is missing makes the deployment fail with this reason. */
  readonly versions: readonly VersionRecord[];
}

/** A deployment in the memory of this node. */
export interface ResidentDeployment {
  readonly id: string;
  /** Sum over all its versions and replicas. */
  readonly bytes: number;
  readonly loadedAt: Instant;
  readonly usedAt: Instant;
}

export interface Place {
  readonly isHere: boolean;
  /** How many other members hold it. */
  readonly others: number;
  /** For operators. */
  readonly reason: string;
}

export interface Placing {
  /** Memory for models on this node, in bytes. */
  readonly budgetBytes: number;
  /** Deployments of the fleet that this node holds from now on. */
  decide(
    wanted: readonly DesiredDeployment[],
    residents: readonly ResidentDeployment[],
    now: Instant,
  ): ReadonlyMap<string, Place>;
  /**
   * Deployments to unload so that a version can be loaded now, whose memory `residents` counts already.
   * @throws SkeinError FLEET_MEMORY when they would not be enough.
   */
  evictionFor(
    name: string,
    residents: readonly ResidentDeployment[],
    now: Instant,
  ): ReadonlyMap<string, Place>;
  /**
   * Waits until every other member has read that this one no longer holds a deployment. The node's list of
   * loaded deployments is without it by then.
   * @param versions that take its traffic here.
   * @returns whether another member holds the wanted ones among them; if not, it must stay.
   */
  isHandedOver(
    deployment: string,
    versions: readonly string[],
    closing: AbortSignal,
  ): Promise<boolean>;
}
