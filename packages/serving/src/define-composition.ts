/**
 * What the author of a composition sees. A composition is a deployment written in TypeScript that
 * calls other deployments: it runs in a worker thread of its own, and the caller's deadline, trace
 * and cancellation travel with every call it makes.
 */
import type { TensorMap, TensorSpec } from '@skein/onnx';

export interface CompositionContext {
  /**
   * Calls another deployment with what is left of the deadline. Takes ownership of the inputs:
   * numeric tensors that cover their buffer are moved, and are empty afterwards; keep a copy of
   * what is needed again.
   * @throws SkeinError as the deployment does.
   */
  call(deployment: string, inputs: TensorMap, outputs?: readonly string[]): Promise<TensorMap>;
  /** Milliseconds until the answer must be ready. */
  remainingMs(): number;
  /** Aborted when the client leaves or the deadline passes. */
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
   * Answers one request; several run at once while they await their calls. What it returns is moved
   * to the caller. A SkeinError that it throws reaches the client as it is, anything else as INTERNAL.
   */
  run(inputs: TensorMap, context: CompositionContext): Promise<TensorMap>;
}

/** Types a composition; a module exports the result as `composition`. */
export function defineComposition(composition: Composition): Composition {
  return composition;
}
