/**
 * The runtime contract of training: one graph, run many times on the calling thread, into memory
 * that the caller owns.
 *
 * It is not the serving `Runtime`, whose sessions live in worker threads and hand buffers over: a
 * step of a quarter of a millisecond cannot pay for that, and its weights would be copied each time.
 */
import type { Model, NumericTensor } from '@skein/onnx';

export type Tensors = ReadonlyMap<string, NumericTensor>;

export interface Backend {
  readonly name: 'native' | 'wasm';
  /** @throws RuntimeFailure `load` when the model cannot be loaded. */
  open(model: Model, options?: BackendOptions): Promise<OpenGraph>;
  /**
   * Opens a graph in stages, which runs along with the calling thread. Absent where the backend has no
   * threads of its own.
   *
   * @param stages ONNX files.
   * @throws RuntimeFailure `load` when one cannot be loaded.
   */
  openStages?(stages: readonly Uint8Array[], options?: BackendOptions): Promise<StagedGraph>;
}

export interface BackendOptions {
  /** Threads that one operator may use; default 1. */
  readonly threads?: number | undefined;
}

export interface OpenGraph {
  /**
   * Runs the graph once and waits for it; one run at a time.
   *
   * @param feeds every input. The tensors are kept as they are.
   * @param into outputs that are written into tensors of the caller, whose shapes they must have.
   *   None of them may share memory with a feed: the order in which a graph reads and writes is the
   *   runtime's.
   * @returns the outputs that `into` does not name, in new memory.
   * @throws RuntimeFailure `run` when the graph rejects its input.
   */
  run(feeds: Tensors, into?: Tensors): Promise<Tensors>;
  close(): Promise<void>;
}

export interface StagedGraph {
  /**
   * Runs all stages; one run at a time.
   * @param feeds every input of the graph.
   * @param into every output, in shared memory.
   * @param done called after each stage, with its number.
   * @throws RuntimeFailure `run` when a graph rejects its input.
   */
  run(feeds: Tensors, into: Tensors, done: (stage: number) => void): Promise<void>;
  close(): Promise<void>;
}
