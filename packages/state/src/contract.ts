/**
 * What a node remembers. Two backends can stand in for each other: SQLite (embedded) and, in a
 * fleet, Redis; one contract test runs over every backend. All methods are asynchronous because one
 * of the backends is remote. Every record is immutable except the current deployment row, which is
 * replaced as a whole under its revision.
 */
import type { DeploymentSettings, Run, RunStatus, RunSummary, TrafficTarget } from '@skein/api';
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
  /** For a composition: the absolute path of its module on this machine. */
  readonly modulePath?: string | undefined;
  readonly createdAt: Timestamp;
}

export interface DeploymentRecord {
  readonly name: string;
  readonly settings: DeploymentSettings;
  /** At least one; weights are shares of their sum. */
  readonly targets: readonly TrafficTarget[];
  /** Counts up; a write with a stale revision is refused. */
  readonly revision: number;
  readonly updatedAt: Timestamp;
}

/** Something that a deployment did or had done to it, with its reason. */
export interface HistoryEntry {
  readonly id: number;
  readonly at: Timestamp;
  readonly deployment: string;
  readonly kind:
    | 'deployed'
    | 'settings-changed'
    | 'rollout-started'
    | 'rollout-step'
    | 'rollout-finished'
    | 'rolled-back'
    | 'scaled'
    | 'replica-lost'
    | 'undeployed';
  readonly reason: string;
  /** Facts behind the reason: versions, weights, counts, measurements. */
  readonly details: Readonly<Record<string, unknown>>;
  /** The API key's id, or `local` on an open loopback node, or `skein` for the node itself. */
  readonly actor: string;
}

export interface KeyRecord {
  readonly id: string;
  /** scrypt or sha-256 of the random secret; the secret itself is shown once and never stored. */
  readonly secretHash: string;
  readonly label: string;
  readonly tenant: string;
  readonly scopes: readonly ('infer' | 'read' | 'jobs' | 'admin')[];
  /** Requests per second; absent: unlimited. */
  readonly ratePerSecond?: number | undefined;
  /** Requests that may wait or run at once; absent: unlimited. */
  readonly maxConcurrent?: number | undefined;
  /** Share of its tenant beside others; absent: 1. */
  readonly weight?: number | undefined;
  readonly createdAt: Timestamp;
  readonly expiresAt?: Timestamp | undefined;
  readonly revokedAt?: Timestamp | undefined;
}

/** One management action: who did what to what, and how it ended. Bodies are never recorded. */
export interface AuditEntry {
  readonly id: number;
  readonly at: Timestamp;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly outcome: string;
  readonly remote: string;
}

export interface State {
  /** Assigns the next version number; the same digest and module again returns the version that exists. */
  addVersion(version: Omit<VersionRecord, 'version' | 'createdAt'>): Promise<VersionRecord>;
  versions(model?: string): Promise<VersionRecord[]>;
  version(model: string, version: string): Promise<VersionRecord | undefined>;
  removeVersion(model: string, version: string): Promise<void>;

  deployments(): Promise<DeploymentRecord[]>;
  deployment(name: string): Promise<DeploymentRecord | undefined>;
  /** @param expectedRevision 0 for a new deployment. @throws SkeinError ROLLOUT_IN_PROGRESS when stale. */
  putDeployment(
    deployment: Pick<DeploymentRecord, 'name' | 'settings' | 'targets'>,
    expectedRevision: number,
  ): Promise<DeploymentRecord>;
  /** Every earlier row of a deployment, newest first: what a rollback returns to. */
  deploymentRevisions(name: string): Promise<DeploymentRecord[]>;
  removeDeployment(name: string): Promise<void>;

  addHistory(entry: Omit<HistoryEntry, 'id' | 'at'>): Promise<HistoryEntry>;
  /** Newest first. */
  history(filter: {
    deployment?: string;
    kind?: HistoryEntry['kind'];
    limit: number;
  }): Promise<HistoryEntry[]>;
  /** What came after an entry, oldest first: a reader that is behind asks until nothing comes. */
  historyAfter(id: number, limit: number): Promise<HistoryEntry[]>;

  /** Replaces what was known of the run, unless that is newer by `updatedAt`. Returns what is known now. */
  putRun(run: Run): Promise<RunSummary>;
  /** Newest first, by their start. */
  runs(filter: { status?: RunStatus; limit: number }): Promise<RunSummary[]>;
  run(id: string): Promise<Run | undefined>;
  removeRun(id: string): Promise<boolean>;

  addKey(key: KeyRecord): Promise<void>;
  keys(): Promise<KeyRecord[]>;
  revokeKey(id: string, at: Timestamp): Promise<boolean>;

  addAudit(entry: Omit<AuditEntry, 'id' | 'at'>): Promise<void>;
  /** Newest first. */
  audit(limit: number): Promise<AuditEntry[]>;

  close(): Promise<void>;
}

/** Bytes of an artifact: `start` counts from 0, `end` is the first byte that is not wanted. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Immutable blobs named by their sha-256: files in a folder, or objects in a bucket. One contract
 * test runs over both. Whatever is handed out has been compared with its name.
 */
export interface ArtifactStore {
  /**
   * Stores a stream; nothing is visible until all of it is kept. Putting an artifact again replaces
   * what is there, which is how a damaged one heals.
   * @throws SkeinError STORAGE_FULL, BODY_TOO_LARGE (past `maxBytes`), STORE_UNREACHABLE.
   */
  put(
    content: AsyncIterable<Uint8Array>,
    maxBytes: number,
  ): Promise<{ digest: string; sizeBytes: number }>;
  /** Size in bytes. @throws SkeinError ARTIFACT_UNKNOWN, STORE_UNREACHABLE. */
  sizeOf(digest: string): Promise<number>;
  /**
   * Streams an artifact. The last chunk is held back until the digest of everything before it is
   * known to be right, so that a reader who got to the end has the artifact; of a range, nothing is
   * handed out before the whole artifact has been verified.
   * @throws SkeinError ARTIFACT_CORRUPT (changed or missing), STORE_UNREACHABLE.
   */
  read(digest: string, range?: ByteRange): AsyncIterable<Uint8Array>;
  /**
   * A local path whose content has been verified against the digest. It stays for an hour after it
   * was asked for; who has it open or mounted keeps it for longer.
   * @throws SkeinError ARTIFACT_CORRUPT (changed or missing), STORAGE_FULL, STORE_UNREACHABLE.
   */
  pathOf(digest: string): Promise<string>;
  remove(digest: string): Promise<void>;
  /** The digests of every artifact, in no order. */
  list(): Promise<string[]>;
  close(): Promise<void>;
}
