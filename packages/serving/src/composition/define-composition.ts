/**
 * The API for the author of a composition. A composition is a deployment written in TypeScript that
 * calls other deployments. It runs in its own worker thread; the caller's deadline, trace and
 * cancellation apply to every call that it makes.
 */
import type { TensorMap, TensorSpec } from '@skein/onnx';

export interface CompositionContext {
  /**
   * Calls another deployment with the remaining deadline. Takes ownership of the inputs: numeric
   * tensors that cover their buffer are moved and are empty afterwards; keep a copy of tensors that
   * are needed again.
   * @throws SkeinError as the deployment does.
   */
  call(deployment: string, inputs: TensorMap, outputs?: readonly string[]): Promise<TensorMap>;
  /** Milliseconds until the answer must be ready. */
  remainingMs(): number;
  /** Aborted when the client disconnects or the deadline passes. */
  readonly signal: AbortSignal;
}

export interface Composition {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** The deployments that `run` calls; they must exist before this one is deployed. */
  readonly calls: readonly string[];
  /** Called once per worker before the first request. */
  warm?(): Promise<void>;
  /**
   * Answers one request; several run concurrently while they await their calls. The result is moved
   * to the caller. The client gets a thrown SkeinError unchanged, and any other error as INTERNAL.
   */
  run(inputs: TensorMap, context: CompositionContext): Promise<TensorMap>;
}

/** Types a composition; a module exports the result as `composition`. */
export function defineComposition(composition: Composition): Composition {
  return composition;
}
