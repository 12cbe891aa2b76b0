/**
 * Durable work. One `JobStore` contract, two backends: SQLite (embedded) and Redis (a fleet, one
 * server-side script per transition). One contract test, one model-based property test and one
 * fault test run over both.
 *
 *     blocked ──► ready ──► running ──► succeeded
 *        │          ▲          │  ├───► failed      it decided so itself: not retryable, deadline,
 *        │          └──retry───┤  │                 refused, a parent that failed
 *        │                     │  └───► dead        retries are used up: the dead letters
 *        └──────► cancelled ◄──┘                    `revive` brings failed, dead, cancelled back
 *
 * - `blocked` waits for parents, a time (`notBefore`), or a retry's backoff.
 * - An attempt is a lease with a fencing token, which grows with every attempt of any job of the
 *   store. Every write of an attempt (log, progress, artifact, outcome) carries its token. After
 *   the lease is lost or the job was ended from outside, the store refuses the write (`stale`).
 * - Leases follow the store's clock, never the clock of a worker.
 * - Every method is one atomic transition; an acknowledged one survives `kill -9` of any process.
 */
import type { JobCause as Cause, JobState } from '@skein/api';
import type { Work, WorkResult } from './work.ts';

/** `Cause`: why an attempt, or a job, did not succeed. */
export type { JobState, Cause };

export interface RetryPolicy {
  /** Attempts in all, at least 1. A preempted attempt does not count. */
  readonly maxAttempts: number;
  /** Wait before the second attempt, in milliseconds; doubles, with full jitter, up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

export interface JobSpec {
  readonly queue: string;
  readonly tenant: string;
  /** The name that lists show. */
  readonly name: string;
  readonly work: Work;
  /** Higher runs first within its tenant; each `ageingMs` of waiting counts as one more. */
  readonly priority: number;
  readonly resources: { readonly cores: number; readonly memoryBytes: number };
  /** Labels that a worker must have, all of them (`sandbox:docker`, `gpu`, `site:berlin`). Sorted. */
  readonly requires: readonly string[];
  readonly retry: RetryPolicy;
  /** Ids of jobs that must have succeeded; all must exist. */
  readonly parents: readonly string[];
  /** Store clock, in ms since the epoch: the job does not start before. */
  readonly notBefore?: number | undefined;
  /**
   * Store clock, in ms since the epoch: a job that has not finished by then fails with cause
   * `deadline`.
   */
  readonly deadline?: number | undefined;
  /** The same key in the same tenant and queue returns the job that exists. */
  readonly idempotencyKey?: string | undefined;
  /** sha-256 of everything that the result depends on; a kept success with this key is reused. */
  readonly cacheKey?: string | undefined;
  /** All members are placed or none; `rank` 0 … size−1, each once. */
  readonly gang?: { readonly id: string; readonly size: number; readonly rank: number } | undefined;
  /** The pipeline run, map or submission that it belongs to. */
  readonly group?: string | undefined;
  /** How long an ended job is kept, in milliseconds. */
  readonly retentionMs: number;
}

export interface Attempt {
  readonly number: number;
  readonly token: number;
  readonly worker: string;
  readonly startedAt: number;
  readonly endedAt?: number | undefined;
  readonly outcome?: 'succeeded' | Cause | undefined;
  readonly message?: string | undefined;
  /** Usage as the sandbox accounted it: cpuMs, wallMs, peakMemoryBytes, … */
  readonly usage?: Readonly<Record<string, number>> | undefined;
}

export interface Job extends JobSpec {
  readonly id: string;
  readonly state: JobState;
  readonly enqueuedAt: number;
  readonly readyAt?: number | undefined;
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
  readonly attempts: readonly Attempt[];
  /** Why it is not a success, once it has ended or while it waits for a retry. */
  readonly cause?: Cause | undefined;
  readonly message?: string | undefined;
  readonly progress?: { readonly fraction: number; readonly message: string } | undefined;
  readonly result?: WorkResult | undefined;
  /** The job whose kept result this one reused instead of running. */
  readonly cachedFrom?: string | undefined;
  /** Artifact of the last checkpoint. */
  readonly checkpoint?: string | undefined;
}

export interface WorkerOffer {
  readonly worker: string;
  readonly queues: readonly string[];
  /** The capacity that the worker has left. */
  readonly free: { readonly cores: number; readonly memoryBytes: number };
  readonly labels: readonly string[];
  /** Where the members of a gang find its rank 0. */
  readonly address?: { readonly host: string; readonly port: number } | undefined;
  readonly max: number;
  readonly leaseMs: number;
}

export interface Claim {
  readonly job: Job;
  readonly token: number;
  readonly attempt: number;
  /** Present for a gang: where rank 0 listens. */
  readonly master?: { readonly host: string; readonly port: number } | undefined;
}

/** The store's notification of a worker about a lease. */
export interface LeaseNotification {
  readonly token: number;
  /** `kept`; `lost`: stop, write nothing; `cancel`: stop at once; `preempt`: checkpoint, then stop. */
  readonly state: 'kept' | 'lost' | 'cancel' | 'preempt';
}

export type Outcome =
  | { readonly kind: 'succeeded'; readonly result: WorkResult; readonly usage?: Attempt['usage'] }
  | {
      readonly kind: 'failed';
      readonly cause: Cause;
      readonly message: string;
      readonly retryable: boolean;
      readonly usage?: Attempt['usage'];
    };

export interface TenantSettings {
  readonly tenant: string;
  /** Share of the fleet relative to other tenants. */
  readonly weight: number;
  /** Limits; absent: none. */
  readonly maxRunning?: number | undefined;
  readonly maxQueued?: number | undefined;
  readonly jobsPerSecond?: number | undefined;
}

/** The limits of a tenant whose settings name none. */
export interface SubmissionQuota {
  readonly maxQueued: number;
  readonly jobsPerSecond: number;
}

/** The load of a tenant in the store now. */
export interface TenantLoad {
  /** Jobs that are blocked or ready. */
  readonly queued: number;
  readonly running: number;
  /** By its settings; absent: no limit is set. */
  readonly maxQueued?: number | undefined;
}

export interface HeldBytes {
  readonly tenant: string;
  readonly bytes: number;
}

export interface QueueView {
  readonly queue: string;
  /** `paused`: no job starts. `draining`: no job is accepted, queued jobs still start. */
  readonly mode: 'open' | 'paused' | 'draining';
  readonly counts: Readonly<Record<JobState, number>>;
  /** When the oldest ready job became ready; ms since the epoch. */
  readonly oldestReadyAt?: number | undefined;
  /** Attempts that have ended, ever, by outcome; those that never occurred are absent. */
  readonly attempts: Readonly<Partial<Record<'succeeded' | Cause, number>>>;
}

export interface WorkerView {
  readonly worker: string;
  readonly host: string;
  readonly queues: readonly string[];
  readonly labels: readonly string[];
  readonly total: { readonly cores: number; readonly memoryBytes: number };
  readonly running: number;
  readonly mode: 'open' | 'draining';
  readonly seenAt: number;
  readonly startedAt: number;
}

/** The job of a schedule. Its times count from each moment at which it is enqueued. */
export interface ScheduledSpec extends Omit<
  JobSpec,
  'notBefore' | 'deadline' | 'idempotencyKey' | 'gang'
> {
  readonly startAfterMs?: number | undefined;
  readonly finishWithinMs?: number | undefined;
}

export interface Schedule {
  readonly id: string;
  /** Five-field cron expression. */
  readonly cron: string;
  /** IANA time zone. */
  readonly timeZone: string;
  readonly spec: ScheduledSpec;
  readonly nextAt: number;
  readonly paused: boolean;
}

export interface JobEvent {
  /**
   * Grows by one per event of the store; a listener resumes after the last sequence that it
   * received.
   */
  readonly sequence: number;
  readonly at: number;
  readonly job: string;
  readonly queue: string;
  readonly tenant: string;
  readonly group?: string | undefined;
  readonly kind: 'state' | 'progress' | 'log';
  readonly state: JobState;
  readonly cause?: Cause | undefined;
  readonly progress?: Job['progress'];
}

export interface EventFilter {
  readonly job?: string | undefined;
  readonly group?: string | undefined;
  readonly queue?: string | undefined;
}

export interface JobFilter {
  readonly queue?: string | undefined;
  readonly tenant?: string | undefined;
  readonly state?: JobState | undefined;
  readonly group?: string | undefined;
  /**
   * Leaves out the members of each group behind one job: the one that started the group or, where that
   * is not among the filtered jobs, its first member.
   */
  readonly folded?: boolean | undefined;
  readonly limit: number;
  /** From the last page's `next`. */
  readonly after?: string | undefined;
}

export interface ListedJob extends Job {
  /** In a folded list: the group whose other jobs are behind this one. */
  readonly behind?: string | undefined;
}

export interface JobStore {
  /**
   * All or none are accepted; parents and gang members may be in the same call. Ids are assigned
   * unless given (`id` chosen by the caller must be new).
   * @param quota of tenants whose settings name no limit. Default: none.
   * @throws SkeinError QUEUE_DRAINING, TENANT_QUOTA, RATE_LIMITED, PARENT_UNKNOWN, REQUEST_INVALID.
   */
  enqueue(
    specs: readonly (JobSpec & { readonly id?: string })[],
    quota?: SubmissionQuota,
  ): Promise<Job[]>;
  /** Starts as many jobs as fit the offer, fairly between tenants; empty when none fits. */
  claim(offer: WorkerOffer): Promise<Claim[]>;
  /**
   * Resolves when a job may have become claimable in these queues since the last claim of `worker`
   * (absent: of any worker in this process), after `waitMs`, or when aborted.
   */
  waitForWork(
    queues: readonly string[],
    waitMs: number,
    signal: AbortSignal,
    worker?: string,
  ): Promise<void>;
  /** Renews the leases of a worker and returns what to do about each. */
  renew(worker: string, tokens: readonly number[], leaseMs: number): Promise<LeaseNotification[]>;
  /**
   * Calls the listener with notifications (cancel, preempt) for a worker as they happen, before the
   * next renewal.
   */
  onLeaseNotification(
    worker: string,
    listener: (notification: LeaseNotification) => void,
  ): Promise<() => Promise<void>>;
  /** @returns false when the token is stale. */
  progress(token: number, fraction: number, message: string): Promise<boolean>;
  /** Appends at `offset` bytes of the attempt's log; a repeated chunk is not stored twice. @returns false when stale. */
  appendLog(token: number, offset: number, chunk: Uint8Array): Promise<boolean>;
  saveCheckpoint(token: number, digest: string): Promise<boolean>;
  /** Ends the attempt; exactly one outcome per token is ever accepted. @returns the state of the job, or undefined when stale. */
  finish(token: number, outcome: Outcome): Promise<JobState | undefined>;

  /** @returns the job; already ended jobs are left as they are. */
  cancel(id: string, reason: string): Promise<Job | undefined>;
  /** Asks a running attempt to checkpoint and stop; it goes back to ready. */
  preempt(id: string): Promise<Job | undefined>;
  /** Brings an ended, unsuccessful job (and the children that it failed) back with fresh attempts. */
  revive(id: string): Promise<Job | undefined>;
  /** Removes an ended job before its retention is over. @returns the job; one that has not ended is left as it is. */
  remove(id: string): Promise<Job | undefined>;
  setQueueMode(queue: string, mode: QueueView['mode']): Promise<void>;
  putTenant(settings: TenantSettings): Promise<void>;

  tenantLoad(tenant: string): Promise<TenantLoad>;

  /** Notes that a tenant has uploaded an artifact, or that its job left it behind. @returns false when it was noted before. */
  holdArtifact(tenant: string, digest: string, sizeBytes: number): Promise<boolean>;
  /** The artifacts among these that the tenant does not hold. */
  lackedArtifacts(tenant: string, digests: readonly string[]): Promise<string[]>;
  /** The sum of what each tenant holds. */
  heldArtifacts(): Promise<HeldBytes[]>;
  /** Drops an artifact that is gone. @returns the tenants that held it, with its size. */
  dropArtifact(digest: string): Promise<HeldBytes[]>;

  /** Replaces the schedule of this id. One that is due and has not fired yet stays due, unless its times change. */
  putSchedule(schedule: Omit<Schedule, 'nextAt'>): Promise<Schedule>;
  removeSchedule(id: string): Promise<boolean>;
  schedules(): Promise<Schedule[]>;

  /**
   * Makes every transition whose time has come: backoffs, delays, lost leases, deadlines,
   * schedules, retention. @returns when the next one is due.
   */
  tick(): Promise<number>;

  registerWorker(worker: Omit<WorkerView, 'seenAt' | 'running'>): Promise<void>;
  removeWorker(worker: string): Promise<void>;
  workers(): Promise<WorkerView[]>;

  job(id: string): Promise<Job | undefined>;
  /** Newest first. A page may be shorter than its limit and still have a `next`. */
  jobs(filter: JobFilter): Promise<{ jobs: ListedJob[]; next?: string | undefined }>;
  /** Counts the jobs of a group, without the one that started it. @param tenant absent: of all. */
  groupCounts(group: string, tenant?: string): Promise<Readonly<Record<JobState, number>>>;
  queues(): Promise<QueueView[]>;
  tenants(): Promise<TenantSettings[]>;
  /** Bytes of an attempt's log from `offset`, at most `maxBytes`. */
  log(
    id: string,
    attempt: number,
    offset: number,
    maxBytes: number,
  ): Promise<{ chunk: Uint8Array; size: number; ended: boolean }>;
  /**
   * Events after `sequence` (default, and for one that the store has not reached: from now on), until
   * aborted. A slow listener misses no event that is still kept.
   */
  events(filter: EventFilter & { after?: number }, signal: AbortSignal): AsyncIterable<JobEvent>;
  /** The store's clock, ms since the epoch. */
  now(): Promise<number>;
  close(): Promise<void>;
}
