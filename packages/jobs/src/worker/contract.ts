/** What a worker is given, and what it shows of itself. */
import type { ArtifactStore } from '@skein/state';
import type { Availability, SandboxDriver, SandboxName } from '@skein/sandbox';
import type { ArtifactHoldings } from '../artifact-holdings.ts';
import type { JobStore } from '../contract.ts';

/** Takes what an operator should know; never payloads. */
export type WorkerLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  details?: Readonly<Record<string, unknown>>,
) => void;

export interface WorkerOptions {
  readonly store: JobStore;
  readonly artifacts: ArtifactStore;
  /** What notes, and bounds, what each tenant's jobs leave behind. Default: notes it in the store. */
  readonly holdings?: Pick<ArtifactHoldings, 'of'> | undefined;
  /** The worker asks each what it holds here, and offers those that are available. */
  readonly sandboxes: readonly SandboxDriver[];
  readonly queues: readonly string[];
  /** What all of its work together may use. */
  readonly capacity: { readonly cores: number; readonly memoryBytes: number };
  /** Added to those that the worker finds itself (`sandbox:…`, `accelerator:…`). */
  readonly labels?: readonly string[] | undefined;
  /** Name in lists and attempts; unique among all workers that ever ran. Default: host, pid and a random part. */
  readonly name?: string | undefined;
  /** Address under which other machines reach this one, for gangs. Default: loopback. */
  readonly host?: string | undefined;
  /**
   * Whether trusted work runs here: tasks, the `process` driver, the network of the host. A worker
   * for what nobody trusts says no. Default: true.
   */
  readonly trusts?: boolean | undefined;
  /** Modules on this machine whose tasks it offers as `task:NAME`, besides those of maps; absolute paths. */
  readonly taskModules?: readonly string[] | undefined;
  /** How long a lease lasts without renewal, in milliseconds. Default: 30 s. */
  readonly leaseMs?: number | undefined;
  /** From the request to stop until the kill, in milliseconds. Default: 10 s. */
  readonly graceMs?: number | undefined;
  /** Bound of an attempt's log, in bytes; the rest is dropped, and the log says so. Default: what the store keeps. */
  readonly maxLogBytes?: number | undefined;
  /** Hears of each attempt that starts how long its job was ready before, in milliseconds. */
  readonly onPickup?: ((waitedMs: number) => void) | undefined;
  readonly log: WorkerLog;
}

export interface SandboxOffer {
  readonly name: SandboxName;
  readonly availability: Availability;
}

export interface RunningAttempt {
  readonly job: string;
  readonly name: string;
  readonly attempt: number;
  readonly token: number;
  /** `telling`: the work has ended, and the store is told how. */
  readonly phase: 'working' | 'telling';
}

export interface Worker {
  readonly id: string;
  readonly queues: readonly string[];
  readonly labels: readonly string[];
  readonly capacity: WorkerOptions['capacity'];
  readonly sandboxes: readonly SandboxOffer[];
  running(): readonly RunningAttempt[];
  /**
   * Takes nothing new, lets what runs finish for `graceMs`, then has the rest checkpointed and put
   * back for others; resolves when nothing runs and the store knows it. Idempotent.
   * @param graceMs default: the worker's.
   * @param stoppingMs how long what was asked to stop is waited for. Default: until it has been killed.
   */
  drain(graceMs?: number, stoppingMs?: number): Promise<void>;
}
