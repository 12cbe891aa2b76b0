/**
 * The state of a node. There are two backends: SQLite (embedded) and, in a fleet, Redis. One
 * contract test runs over both. All methods are asynchronous because one backend is remote. Every
 * record is immutable except the current deployment row, which is replaced as a whole under its
 * revision.
 */
import type { Run, RunStatus, RunSummary } from '@skein/api';
import type { Budgets } from './budgets/budgets.ts';
import type { Position, StateChange } from './changes/changes.ts';
import type { Fence, Leases } from './leases/leases.ts';
import type { Shares } from './leases/shares.ts';
import type { Members } from './members/members.ts';
import type { Responses } from './responses/responses.ts';
import type { Secrets } from './secrets/secrets.ts';
import type { TransferStore } from './transfer/rows.ts';
import type {
  Timestamp,
  VersionRecord,
  DeploymentRecord,
  HistoryEntry,
  KeyRecord,
  DeclarationRecord,
  AuditEntry,
  Tombstone,
} from './records.ts';

/** The records of a state. Each write is one atomic change, with its entry in the change feed. */
export interface Records extends TransferStore {
  /** Assigns the next version number; the same digest and module return the existing version. */
  addVersion(version: Omit<VersionRecord, 'version' | 'createdAt'>): Promise<VersionRecord>;
  versions(model?: string): Promise<VersionRecord[]>;
  version(model: string, version: string): Promise<VersionRecord | undefined>;
  removeVersion(model: string, version: string): Promise<void>;

  deployments(): Promise<DeploymentRecord[]>;
  deployment(name: string): Promise<DeploymentRecord | undefined>;
  /**
   * @param expectedRevision 0 for a new deployment.
   * @param fence a lease that the writer must still hold.
   * @throws SkeinError ROLLOUT_IN_PROGRESS if the revision is stale, LEASE_LOST.
   */
  putDeployment(
    deployment: Pick<DeploymentRecord, 'name' | 'settings' | 'targets' | 'unloaded' | 'rollout'>,
    expectedRevision: number,
    fence?: Fence,
  ): Promise<DeploymentRecord>;
  /** Every earlier row of a deployment, newest first: the targets of a rollback. */
  deploymentRevisions(name: string): Promise<DeploymentRecord[]>;
  /** Leaves a tombstone, whose revision counts on. */
  removeDeployment(name: string): Promise<void>;
  /** The removed deployments that have no successor of their name. */
  tombstones(): Promise<Tombstone[]>;

  addHistory(entry: Omit<HistoryEntry, 'id' | 'at'>): Promise<HistoryEntry>;
  /** Newest first. */
  history(filter: {
    deployment?: string;
    kind?: HistoryEntry['kind'] | undefined;
    limit: number;
    /** Only entries with a smaller id. */
    before?: number | undefined;
  }): Promise<HistoryEntry[]>;
  /** Entries after a given one, oldest first: a reader that is behind repeats the call until it returns none. */
  historyAfter(id: number, limit: number): Promise<HistoryEntry[]>;

  /** Replaces the record of the run unless the stored one is newer by `updatedAt`. Returns the stored record. */
  putRun(run: Run): Promise<RunSummary>;
  /** Newest first, by start time and id. @param filter.after only runs after this one in that order. */
  runs(filter: {
    status?: RunStatus | undefined;
    limit: number;
    after?: RunPlace | undefined;
  }): Promise<RunSummary[]>;
  run(id: string): Promise<Run | undefined>;
  removeRun(id: string): Promise<boolean>;

  addKey(key: KeyRecord): Promise<void>;
  keys(): Promise<KeyRecord[]>;
  revokeKey(id: string, at: Timestamp): Promise<boolean>;
  /** Removes keys, all or none of them; missing ones are left out. For keys that ended long ago. */
  removeKeys(ids: readonly string[]): Promise<void>;

  /** Replaces the declaration of this kind and name. */
  putDeclaration(declaration: DeclarationRecord): Promise<void>;
  /** @returns false when there is one of this kind and name, which stays as it is. */
  addDeclaration(declaration: DeclarationRecord): Promise<boolean>;
  /** By kind and name. */
  declarations(): Promise<DeclarationRecord[]>;
  /** @returns false when there was none. */
  removeDeclaration(kind: string, name: string): Promise<boolean>;

  addAudit(entry: Omit<AuditEntry, 'id' | 'at'>): Promise<void>;
  /** Newest first. @param before only entries with a smaller id. */
  audit(limit: number, before?: number): Promise<AuditEntry[]>;
}

export type RunPlace = Pick<RunSummary, 'id' | 'startedAt'>;

export interface State extends Records {
  /** Where a snapshot begins: take the position, then read the records. */
  position(): Promise<Position>;
  /**
   * The changes after a position, as they happen. Ends when aborted. While the store is unreachable
   * it waits, and continues at its position.
   * @throws SkeinError CHANGES_TRIMMED (take a new snapshot), STORE_REPLACED (other contents, or
   *   older ones), NODE_DRAINING once the state is closed.
   */
  changes(after: string, signal: AbortSignal): AsyncIterable<StateChange[]>;
  readonly members: Members;
  readonly leases: Leases;
  readonly shares: Shares;
  readonly budgets: Budgets;
  readonly responses: Responses;
  readonly secrets: Secrets;
  close(): Promise<void>;
}

/** Bytes of an artifact: `start` counts from 0, `end` is exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Immutable blobs named by their sha-256: files in a folder, or objects in a bucket. One contract
 * test runs over both. Content is compared with its name before it is returned.
 */
export interface ArtifactStore {
  /**
   * Stores a stream; it becomes visible when it is complete. Putting an artifact again replaces it,
   * which repairs a damaged one. A chunk is not used after the next one is asked for.
   * @throws SkeinError STORAGE_FULL, BODY_TOO_LARGE (past `maxBytes`), STORE_UNREACHABLE.
   */
  put(
    content: AsyncIterable<Uint8Array>,
    maxBytes: number,
  ): Promise<{ digest: string; sizeBytes: number }>;
  /** Size in bytes. @throws SkeinError ARTIFACT_UNKNOWN, STORE_UNREACHABLE. */
  sizeOf(digest: string): Promise<number>;
  /**
   * Streams an artifact. The last chunk is held back until the digest has been verified, so that a
   * reader that reaches the end has the artifact. A range is sent only after the whole artifact has
   * been verified.
   * @throws SkeinError ARTIFACT_CORRUPT (changed or missing), STORE_UNREACHABLE.
   */
  read(digest: string, range?: ByteRange): AsyncIterable<Uint8Array>;
  /**
   * A local path whose content has been verified against the digest. The file stays for an hour
   * after the call; a process that has it open or mounted keeps it longer.
   * @throws SkeinError ARTIFACT_CORRUPT (changed or missing), STORAGE_FULL, STORE_UNREACHABLE.
   */
  pathOf(digest: string): Promise<string>;
  remove(digest: string): Promise<void>;
  /** The digests of all artifacts, in no particular order. */
  list(): Promise<string[]>;
  close(): Promise<void>;
}
