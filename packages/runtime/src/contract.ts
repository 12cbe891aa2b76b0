/**
 * One contract for executing an ONNX graph. The native backend keeps each session in a worker
 * thread or a child process, because ONNX Runtime's `run()` and `create()` block the calling
 * thread; the WebAssembly backend runs on the thread of its caller. Callers never branch on which
 * backend they have.
 */
import type { Signature, TensorMap } from '@skein/onnx';
import type { Device } from './native/devices.ts';

/**
 * The source of the graph's bytes. A path lets the worker read the file itself and find external
 * data next to it.
 */
export type ModelSource = { readonly path: string } | { readonly bytes: Uint8Array };

export interface SessionOptions {
  readonly device: Device;
  /** Intra-op threads of this session. */
  readonly threads: number;
  /** `thread`: a worker thread, cheapest. `process`: a child process, whose crash costs only a retry. */
  readonly isolation: 'thread' | 'process';
  /**
   * Memory that the model may use: its weights, and its runs. Only a child process can enforce it;
   * a thread takes its memory from the node.
   */
  readonly maxMemoryBytes?: number | undefined;
  /**
   * Largest sum of the outputs of a run, in bytes: the calling process holds them. Default: no
   * bound.
   */
  readonly maxOutputBytes?: number | undefined;
  /** Leaves the cores to this process while it needs them; a child process alone can. Default: no. */
  readonly yields?: boolean | undefined;
}

/** Milliseconds of the parts of a run. The way to another thread and back is in none of them. */
export interface RunTimes {
  /** Until the backend has the inputs in its own form. */
  readonly inputMs: number;
  /** Inside the backend's own `run()`, without queueing or hand-over. */
  readonly computeMs: number;
  /** Until the outputs can be sent. */
  readonly outputMs: number;
}

export interface RunResult extends RunTimes {
  readonly outputs: TensorMap;
}

/** A run that begins the moment the one before it has ended: its caller need not read that end first. */
export interface PreparedRun {
  /** Resolves to undefined when it was withdrawn; rejects like `Session.run`. */
  readonly result: Promise<RunResult | undefined>;
  /** Adds rows, which are copied. @returns false when it has begun, or they do not fit. */
  add(feeds: TensorMap): boolean;
  /** @returns false when it has begun. */
  withdraw(): boolean;
}

export interface Session {
  readonly signature: Signature;
  /**
   * Growth of the resident memory by loading it, in bytes: the whole child process, or for a
   * thread the growth of this process meanwhile, which other work may share. Absent: not measured.
   */
  readonly memoryBytes?: number | undefined;
  /**
   * Runs the graph once. One run at a time: the caller waits for the result before the next.
   *
   * Takes ownership of the feeds: an ArrayBuffer that a feed covers completely is transferred, not
   * copied, and is unusable afterwards.
   *
   * @param outputs names to return; all when absent.
   * @throws RuntimeFailure with `kind: 'run'` when the graph rejects its input, `'memory'` when it
   *   asked for more memory than it may have, `'lost'` when the worker or process died underneath.
   */
  run(feeds: TensorMap, outputs?: readonly string[]): Promise<RunResult>;
  /**
   * Prepares the run after the current one with the rows of these feeds, which are copied. It returns all outputs.
   *
   * @returns undefined when the feeds have no rows that can be shared, or the last prepared run has not begun.
   *   Absent when the backend cannot: a child process shares no memory.
   */
  readonly prepare?: ((feeds: TensorMap) => PreparedRun | undefined) | undefined;
  /** Resolves once, when the worker or process ends without `close()` having been called. */
  readonly lost: Promise<RuntimeFailure>;
  /**
   * Receives a result that has arrived but that the event loop has not delivered yet, so that a
   * busy caller can give the backend its next run early. Takes about a microsecond. Absent when the
   * backend cannot be polled.
   */
  readonly poll?: (() => void) | undefined;
  /**
   * Ends the worker or process. Idempotent. A child process is killed. A thread ends after its
   * current run, because native code cannot be interrupted: that may be never.
   */
  close(): Promise<void>;
}

/**
 * A session on the calling thread, which loading and every run block. It is for runs that are shorter than the way to
 * another thread and back, and that cannot become longer: nothing can interrupt them.
 */
export interface InlineSession {
  /**
   * Runs the graph once. The feeds stay the caller's.
   *
   * @param outputs names to return; all when absent.
   * @throws RuntimeFailure `'run'`, `'memory'`, as `Session.run` does.
   */
  run(feeds: TensorMap, outputs?: readonly string[]): RunResult;
  /** Gives back its memory. */
  close(): void;
}

export interface Runtime {
  readonly name: 'native' | 'wasm';
  /**
   * Loads a model and prepares a session.
   *
   * @param signal cancels at once: a child process is killed, and a thread is left to end by
   *   itself.
   * @throws RuntimeFailure with `kind: 'load'` when the model cannot be loaded, `'memory'` when it
   *   needs more than its bound, `'lost'` when loading was cancelled, `'unavailable'` when the
   *   device or backend is missing on this machine; the message names the fix.
   */
  open(model: ModelSource, options: SessionOptions, signal?: AbortSignal): Promise<Session>;
  /**
   * Starts the environment of the next session in a thread, so that it loads meanwhile.
   * @returns `release` ends it unless a session has taken it. Absent when nothing can be prepared.
   */
  prepare?(): { release(): Promise<void> };
  /**
   * Loads a model for runs on the calling thread, which loading blocks too.
   *
   * Absent when its sessions are on that thread anyway.
   * @throws RuntimeFailure `'load'`, `'memory'`.
   */
  openInline?(
    model: ModelSource,
    options: Omit<SessionOptions, 'isolation'>,
  ): Promise<InlineSession>;
}

export class RuntimeFailure extends Error {
  override readonly name = 'RuntimeFailure';
  readonly kind: 'load' | 'run' | 'memory' | 'lost' | 'unavailable';

  constructor(kind: RuntimeFailure['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
