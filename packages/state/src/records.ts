/** The records that a state keeps, as they are stored. */
import type {
  AuditView,
  DeploymentSettings,
  HistoryView,
  RolloutPlan,
  RolloutView,
  TrafficTarget,
} from '@skein/api';
import type { Signature } from '@skein/onnx';

/** ISO 8601 in UTC, wall clock. */
export type Timestamp = string;

export interface VersionRecord {
  readonly model: string;
  /** Counts up from "1" per model. */
  readonly version: string;
  readonly kind: 'onnx' | 'composition';
  /** sha-256 of the artifact, in hex. */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly signature: Signature;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAt: Timestamp;
}

/**
 * A rollout that the members of a fleet carry out together. It is a part of its deployment's row, so
 * that each step is a compare-and-set, and a leader that was replaced can take none.
 */
export interface RolloutRecord {
  /** Random: distinguishes it from a later rollout of the same version. */
  readonly id: string;
  readonly to: string;
  /** The split before it, which a rollback restores. */
  readonly from: readonly TrafficTarget[];
  readonly plan: RolloutPlan;
  /** Settings that apply once the version has taken over. */
  readonly settings: DeploymentSettings;
  readonly phase: RolloutView['phase'];
  /** Index into the steps of the plan. */
  readonly step: number;
  readonly reason: string;
  readonly startedAt: Timestamp;
}

export interface DeploymentRecord {
  readonly name: string;
  readonly settings: DeploymentSettings;
  /** At least one; each weight is a share of their sum. */
  readonly targets: readonly TrafficTarget[];
  /** Whether it was unloaded: it serves nothing, and keeps its settings and targets for the next load. */
  readonly unloaded?: true | undefined;
  /** In progress, or the last one, in a fleet of several members. */
  readonly rollout?: RolloutRecord | undefined;
  /** Counts up; a write with a stale revision is refused. */
  readonly revision: number;
  readonly updatedAt: Timestamp;
}

/** An event of a deployment, with its reason. */
export type HistoryEntry = Readonly<HistoryView>;

export interface KeyRecord {
  readonly id: string;
  /** scrypt or sha-256 of the random secret; the secret itself is shown once and never stored. */
  readonly secretHash: string;
  readonly label: string;
  readonly tenant: string;
  readonly scopes: readonly ('infer' | 'read' | 'jobs' | 'admin')[];
  /** Requests per second; absent: unlimited. */
  readonly ratePerSecond?: number | undefined;
  /** Requests that may be queued or running at once; absent: unlimited. */
  readonly maxConcurrent?: number | undefined;
  /** Weight of its tenant; absent: 1. */
  readonly weight?: number | undefined;
  readonly createdAt: Timestamp;
  readonly expiresAt?: Timestamp | undefined;
  readonly revokedAt?: Timestamp | undefined;
}

/**
 * A record that an operator has declared under a name, such as a provider of language models. The component
 * that declares it defines its form; a state keeps it as it is. It never contains a secret.
 */
export interface DeclarationRecord {
  /** Names are unique within a kind. */
  readonly kind: string;
  readonly name: string;
  /** Plain JSON. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly updatedAt: Timestamp;
}

/** One management action: the actor, the action, its subject and its outcome. Bodies are never recorded. */
export type AuditEntry = Readonly<AuditView>;

/** A deployment that was removed. */
export interface Tombstone {
  readonly name: string;
  /** Revision of the removal; the next deployment of this name continues from it. */
  readonly revision: number;
}
