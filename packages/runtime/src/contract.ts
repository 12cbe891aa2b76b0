/**
 * One contract for executing an ONNX graph. The native backend keeps each session in a worker
 * thread or a child process, because ONNX Runtime's `run()` and `create()` block the thread that
 * calls them; the WebAssembly backend runs where the page or worker lives. Callers never branch on
 * which one they hold.
 */
import type { Signature, TensorMap } from '@skein/onnx';

/** Where the graph's bytes are. A path lets the worker read the file itself and find external data beside it. */
export type ModelSource = { readonly path: string } | { readonly bytes: Uint8Array };

export interface SessionOptions {
  readonly device: 'cpu' | 'cuda';
  /** Intra-op threads of this session. */
  readonly threads: number;
  /** `thread`: a worker thread, cheapest. `process`: a child process, whose crash costs only a retry. */
  readonly isolation: 'thread' | 'process';
}

export interface RunResult {
  readonly outputs: TensorMap;
  /** Milliseconds inside the backend's own `run()`, without queueing or hand-over. */
  readonly computeMs: number;
}

export interface Session {
  readonly signature: Signature;
  /**
   * Runs the graph once. One run at a time: the caller waits for the result before the next.
   *
   * Takes ownership of the feeds: an ArrayBuffer that a feed covers completely is transferred, not
   * copied, and is unusable afterwards.
   *
   * @param outputs names to return; all when absent.
   * @throws RuntimeFailure with `kind: 'run'` when the graph rejects its input, `'lost'` when the
   *   worker or process died underneath.
   */
  run(feeds: TensorMap, outputs?: readonly string[]): Promise<RunResult>;
  /** Resolves once, when the worker or process ends without `close()` having been called. */
  readonly lost: Promise<RuntimeFailure>;
  /**
   * Takes over a result that has arrived but that the event loop has not handed out yet, so that a
   * caller in the middle of a long turn can give the backend its next run. About a microsecond.
   * Absent where results cannot be looked for.
   */
  readonly poll?: (() => void) | undefined;
  /** Ends the worker or process. Idempotent. */
  close(): Promise<void>;
}

export interface Runtime {
  readonly name: 'native' | 'wasm';
  /**
   * Loads a model and readies a session.
   * @throws RuntimeFailure with `kind: 'load'` when the model cannot be loaded, `'unavailable'` when
   *   the device or backend is missing on this machine; the message says how to get it.
   */
  open(model: ModelSource, options: SessionOptions): Promise<Session>;
}

export class RuntimeFailure extends Error {
  override readonly name = 'RuntimeFailure';
  readonly kind: 'load' | 'run' | 'lost' | 'unavailable';

  constructor(kind: RuntimeFailure['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
