/**
 * The work of a job: a command in a sandbox, or a trusted TypeScript task in a worker thread. The
 * store keeps this as opaque JSON; only workers read it.
 */
import type { Limits, SandboxName } from '@skein/sandbox';

export type Work = CommandWork | TaskWork;

/** Limits of every command; the worker has defaults for absent ones. */
export type WorkLimits = { readonly [Name in keyof Limits]?: number | undefined };

export interface CommandWork {
  readonly kind: 'command';
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Root file system of the sandbox; absent: the driver's base. */
  readonly image?: string | undefined;
  /** The driver that must run it; absent: the best one that the worker has for its trust. */
  readonly sandbox?: SandboxName | undefined;
  /** Default: untrusted; a driver without isolation never runs untrusted work. */
  readonly trusted?: boolean | undefined;
  /**
   * Artifacts that the command finds at these relative paths of its workspace: links to read-only
   * mounts.
   */
  readonly inputs: readonly { readonly path: string; readonly digest: string }[];
  /** Workspace paths (files or directories) that become artifacts when the command exits with 0. */
  readonly outputs: readonly { readonly path: string; readonly optional?: boolean }[];
  /**
   * Whether a command that fails on its own is retried; a command of a lost worker always is.
   * Default: true.
   */
  readonly retryFailure?: boolean | undefined;
  /** Workspace path that is kept as an artifact when the command announces it, is preempted or fails, and put back at the next attempt. */
  readonly checkpoint?: string | undefined;
  /** An artifact fed to stdin. */
  readonly stdin?: string | undefined;
  readonly limits: WorkLimits;
  readonly network?: 'none' | 'host' | { readonly allow: readonly string[] } | undefined;
}

export interface TaskWork {
  readonly kind: 'task';
  /** Name of the task, as `defineTask` gave it. */
  readonly task: string;
  readonly module: TaskModule;
  readonly input: unknown;
  readonly limits: WorkLimits;
}

/**
 * Where the task is: an absolute path on the worker's machine, the artifact that it was bundled
 * into, or the module from which the worker offers it.
 */
export type TaskModule =
  | { readonly path: string }
  | { readonly digest: string }
  | { readonly offered: true };

/** The result of a finished attempt in its job. */
export interface WorkResult {
  /** The value that a task returned; for a command its ending. */
  readonly value: unknown;
  readonly outputs: readonly {
    readonly path: string;
    readonly digest: string;
    readonly sizeBytes: number;
  }[];
}
