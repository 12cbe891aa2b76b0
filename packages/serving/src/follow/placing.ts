/**
 * What a node of a fleet needs to know of the placement of deployments on members. The policy is in
 * `packages/fleet`; a node without other members to forward to holds everything.
 */
import type { Instant } from '../contract.ts';
import type { DesiredDeployment } from '../changes/restore.ts';

/** A deployment in the memory of this node. */
export interface ResidentDeployment {
  readonly id: string;
  /** Of all its versions and replicas. */
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
  /** What this node holds of the deployments of its fleet from now on. */
  decide(
    wanted: readonly DesiredDeployment[],
    residents: readonly ResidentDeployment[],
    now: Instant,
  ): ReadonlyMap<string, Place>;
  /**
   * Deployments to unload so that a version can be loaded now, whose memory `residents` counts already.
   * @throws SkeinError FLEET_MEMORY when they would not be enough.
   */
  roomFor(
    name: string,
    residents: readonly ResidentDeployment[],
    now: Instant,
  ): ReadonlyMap<string, Place>;
  /**
   * Waits until every other member knows that this one does not hold a deployment any more. What the
   * node says it has loaded is without it by then.
   * @param versions that take its traffic here.
   * @returns whether another member holds those of them that are still wanted; if not, it must stay.
   */
  isHandedOver(
    deployment: string,
    versions: readonly string[],
    closing: AbortSignal,
  ): Promise<boolean>;
}
