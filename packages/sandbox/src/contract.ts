/**
 * A sandbox runs untrusted commands under limits, and reports which limits it enforced and which
 * resources were used. The drivers of `drivers.ts` are interchangeable behind this contract; one
 * contract test and one corpus of hostile programs run over each of them.
 *
 * Three rules hold for every driver:
 * - A limit is enforced by the kernel or it is not claimed. A session that asks for more than the
 *   driver enforces here is refused with SANDBOX_UNSUPPORTED, which names the missing piece.
 * - The host never opens a path inside a directory that a guest could write while, or after, a
 *   guest wrote it. The files of a guest come out as a stream that a trusted program inside the
 *   sandbox writes (`collect`), and are parsed as hostile input.
 * - Arguments are passed as a list: nothing passes through a shell.
 *
 * A session is one private file system with a warm start: the files that were put in, and a
 * workspace. Commands run in it one at a time or side by side (a solution and its interactor are
 * two sessions joined by pipes). When a command ends, every process that it left behind is dead.
 */
import type { Readable, Writable } from 'node:stream';
import type { SandboxName } from '@skein/api/implementations';

export type { SandboxName };

/** `Infinity` asks for no limit: the only way to run where a driver does not enforce one. */
export interface Limits {
  /** User plus system time of all processes of the command, in milliseconds. */
  readonly cpuMs?: number | undefined;
  /** Wall time of the command, in milliseconds. */
  readonly wallMs: number;
  /** Memory of all processes together, including page tables and tmpfs, in bytes; no swap beyond it. */
  readonly memoryBytes: number;
  /** Processes and threads at once. */
  readonly pids: number;
  /** stdout plus stderr, in bytes; the command is killed when it writes more. */
  readonly outputBytes: number;
  /** Largest single file, in bytes. */
  readonly fileBytes: number;
  /** All of the workspace and /tmp together, in bytes. */
  readonly diskBytes: number;
  /** Cores that the command may use at once; may be a fraction. Default: 1. */
  readonly cores?: number | undefined;
}

/**
 * `none`, or the only addresses that the guest can reach (`host:port`), when the driver can enforce
 * the list: through a proxy at HTTP_PROXY, which is the only way out. An address that is not public
 * has to be listed itself, and is for trusted work.
 */
export type NetworkPolicy = 'none' | { readonly allow: readonly string[] } | 'host';

/**
 * The limits that a driver enforces on this host. A capability is probed once before it is claimed,
 * never assumed.
 */
export interface Enforcement {
  /**
   * By limit: what enforces it, in words for a reader (`cgroup v1 memory`, `RLIMIT_FSIZE`), or why
   * it is not enforced.
   */
  readonly limits: Readonly<
    Record<keyof Limits, { readonly enforced: boolean; readonly by: string; readonly fix?: string }>
  >;
  readonly network: {
    readonly none: boolean;
    readonly allowList: boolean;
    readonly by: string;
  };
  /** Whether untrusted programs may run here at all; never in a driver without isolation. */
  readonly untrusted: boolean;
  /** The source of cpu time and peak memory. */
  readonly accounting: 'cgroup v2' | 'cgroup v1' | 'rusage' | 'none';
}

export type Availability =
  | { readonly available: true; readonly version: string; readonly enforcement: Enforcement }
  /** Why not, and the command or setting that fixes it. */
  | { readonly available: false; readonly reason: string; readonly fix: string };

/** A file or directory of the host that the guest sees read-only. */
export interface Mount {
  /** Absolute path on the host; must not be writable by any guest. */
  readonly source: string;
  /** Absolute path in the guest. */
  readonly target: string;
}

export interface SessionOptions {
  /** Root file system: a name or directory that the driver takes. Default: the driver's base. */
  readonly image?: string | undefined;
  readonly mounts: readonly Mount[];
  /** The limits of every command in the session; a command may only tighten them. */
  readonly limits: Limits;
  readonly network: NetworkPolicy;
  /**
   * Called, in words for a reader, with each connection of a guest that an address list refused.
   */
  readonly report?: ((what: string) => void) | undefined;
  /** Whether the commands are untrusted. A driver without isolation refuses such a session. */
  readonly untrusted: boolean;
  /** The attempt of a job that the session is for: a driver of a cluster writes it on what it creates. */
  readonly attempt?: SessionAttempt | undefined;
  /** Ends the opening of a session that waits for its place in a cluster. */
  readonly signal?: AbortSignal | undefined;
}

export interface SessionAttempt {
  readonly job: string;
  readonly number: number;
  /** The fencing token. */
  readonly token: number;
  readonly priority: number;
  /** The member of a gang: all open their sessions at the same time, in sandboxes that reach each other. */
  readonly gang?: { readonly id: string; readonly size: number; readonly rank: number } | undefined;
}

export interface Command {
  /** The program and its arguments; the program is found on the guest's PATH. */
  readonly argv: readonly string[];
  /** The whole environment, apart from PATH, HOME and LANG, which have defaults. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory; default the workspace. */
  readonly cwd?: string | undefined;
  /** Whether this command may change the workspace. Read-only for the tests of a compiled program. */
  readonly workspace: 'writable' | 'read-only';
  /** Tighter than the session's. */
  readonly limits?: Partial<Limits>;
  /** Fed to stdin, then closed. `pipe` leaves it to the caller through `stdin`. Default: empty. */
  readonly stdin?: Uint8Array | Readable | 'pipe' | undefined;
}

export type EndedBy =
  | 'exit'
  | 'signal'
  | 'cpu-limit'
  | 'wall-limit'
  | 'out-of-memory'
  | 'output-limit'
  | 'killed';

export interface Usage {
  /** User plus system time of the command and everything it started, in milliseconds. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** Peak of the memory that the kernel charged to the command, in bytes. */
  readonly peakMemoryBytes: number;
  readonly outputBytes: number;
}

export interface Ending {
  /** The first cause. `killed`: by `kill()`, or by the end of the session. */
  readonly endedBy: EndedBy;
  /** Exit status of the program; null when a signal ended it. */
  readonly exitCode: number | null;
  /** e.g. `SIGSEGV`; null when it exited. */
  readonly signal: string | null;
  readonly usage: Usage;
}

export interface RunningCommand {
  /** Present when the command was started with `stdin: 'pipe'`. */
  readonly stdin: Writable | undefined;
  /** Both must be read (or resumed), or the command waits when the pipe is full. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * Resolves when every process of the command is dead and accounted. Rejects only for faults of
   * the driver.
   */
  readonly ended: Promise<Ending>;
  /** Sends a signal to the program, for a graceful end. */
  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGUSR1'): void;
  /** Kills everything at once; idempotent. Resolves with `ended`. */
  kill(): Promise<Ending>;
}

/** One regular file of a guest. Anything else (links, devices, FIFOs) is left inside. */
export interface CollectedFile {
  /** Relative, normalised, without `..`; as the guest named it. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

export interface SandboxSession {
  /** The guest's absolute path of the workspace. */
  readonly workspace: string;
  /** Where the other members of its gang find rank 0, when the driver places the gang itself. */
  readonly master?: { readonly host: string; readonly port: number } | undefined;
  /** Writes regular files (mode 0644, or 0755) into the workspace, before or between commands. */
  put(files: Iterable<{ path: string; content: Uint8Array; executable?: boolean }>): Promise<void>;
  start(command: Command): RunningCommand;
  /** Convenience: runs to its end and keeps at most `outputBytes` of each stream. */
  run(command: Command): Promise<Ending & { stdout: Uint8Array; stderr: Uint8Array }>;
  /**
   * Streams the named regular files or directories (recursively) out of the workspace, at most
   * `maxBytes` in all; each file must be consumed before the next. Symbolic links are not followed.
   * @throws SkeinError SANDBOX_OUTPUT_MISSING, SANDBOX_OUTPUT_TOO_LARGE.
   */
  collect(paths: readonly string[], maxBytes: number): AsyncIterable<CollectedFile>;
  /** Kills all commands and removes every trace: processes, cgroups, mounts, files. Idempotent. */
  close(): Promise<void>;
}

export interface SandboxDriver {
  readonly name: SandboxName;
  /** Whether an image of this name can be the root file system of a session; not whether it exists. */
  takesImage(image: string): boolean;
  /** Probed on the first call, then remembered. */
  availability(): Promise<Availability>;
  /** @throws SkeinError SANDBOX_UNAVAILABLE, SANDBOX_UNSUPPORTED, SANDBOX_IMAGE_UNKNOWN. */
  open(options: SessionOptions): Promise<SandboxSession>;
  /** Ends every session and the pool of warm ones. */
  close(): Promise<void>;
}
