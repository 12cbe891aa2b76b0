/** The options and the interface of a worker. */
import type { ArtifactStore } from '@skein/state';
import type { Availability, SandboxDriver } from '@skein/sandbox';
import type { ArtifactHoldings } from '../artifact-holdings.ts';
import type { JobStore } from '../contract.ts';

/** Receives messages for the operator; never payloads. */
export type WorkerLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  details?: Readonly<Record<string, unknown>>,
) => void;

export interface WorkerOptions {
  readonly store: JobStore;
  readonly artifacts: ArtifactStore;
  /**
   * Records and bounds the artifacts that each tenant's jobs leave behind. Default: records them in
   * the store.
   */
  readonly holdings?: Pick<ArtifactHoldings, 'of'> | undefined;
  /** The worker probes each driver, and offers those that are available. */
  readonly sandboxes: readonly SandboxDriver[];
  readonly queues: readonly string[];
  /** The capacity that all attempts share. */
  readonly capacity: { readonly cores: number; readonly memoryBytes: number };
  /** Added to those that the worker finds itself (`sandbox:…`, `accelerator:…`). */
  readonly labels?: readonly string[] | undefined;
  /** Name in lists and attempts; unique among all workers that ever ran. Default: host, pid and a random part. */
  readonly name?: string | undefined;
  /** Address under which other machines reach this one, for gangs. Default: loopback. */
  readonly host?: string | undefined;
  /**
   * Whether trusted work runs here: tasks, drivers without isolation, the network of the host. Set it to
   * false for a worker that runs only untrusted work. Default: true.
   */
  readonly trusts?: boolean | undefined;
  /** Modules on this machine whose tasks it offers as `task:NAME`, in addition to tasks of maps; absolute paths. */
  readonly taskModules?: readonly string[] | undefined;
  /** How long a lease lasts without renewal, in milliseconds. Default: 30 s. */
  readonly leaseMs?: number | undefined;
  /** From the request to stop until the kill, in milliseconds. Default: 10 s. */
  readonly graceMs?: number | undefined;
  /**
   * Bound of an attempt's log, in bytes; later bytes are dropped, and the log notes it. Default: the
   * bound of the store.
   */
  readonly maxLogBytes?: number | undefined;
  /** Ends the wait for a store that is away while the worker starts. */
  readonly ending?: AbortSignal | undefined;
  /** Receives, for each attempt that starts, how long its job was ready before, in milliseconds. */
  readonly onPickup?: ((waitedMs: number) => void) | undefined;
  readonly log: WorkerLog;
}

export interface SandboxOffer extends Pick<SandboxDriver, 'name' | 'takesImage'> {
  readonly availability: Availability;
}

export interface RunningAttempt {
  readonly job: string;
  readonly name: string;
  readonly attempt: number;
  readonly token: number;
  /** `reporting`: the work has ended, and its outcome is being reported. */
  readonly phase: 'working' | 'reporting';
}

export interface Worker {
  readonly id: string;
  readonly queues: readonly string[];
  readonly labels: readonly string[];
  readonly capacity: WorkerOptions['capacity'];
  readonly sandboxes: readonly SandboxOffer[];
  running(): readonly RunningAttempt[];
  /**
   * Stops claiming, lets running attempts finish for `graceMs`, then checkpoints the rest and puts
   * it back for other workers; resolves when no attempt runs and the store has every outcome.
   * Idempotent.
   * @param graceMs default: the worker's.
   * @param stoppingMs how long to wait for attempts that were asked to stop. Default: until they
   *   have been killed.
   */
  drain(graceMs?: number, stoppingMs?: number): Promise<void>;
}
