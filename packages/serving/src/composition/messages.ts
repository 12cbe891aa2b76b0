/** Messages between the node's thread and a composition's worker. */
import type { Signature } from '@skein/onnx';
import type { WireTensors } from '../tensor-transfer.ts';
import type { WireError } from '../wire-error.ts';

export interface WorkerData {
  /** File URL of the composition's module. */
  readonly moduleUrl: string;
  /** Whether to call the composition's `warm`. */
  readonly warm: boolean;
}

export type ToWorker =
  | {
      readonly kind: 'run';
      readonly run: number;
      /** Milliseconds since the epoch, because every thread has its own monotonic clock. */
      readonly deadlineEpochMs: number;
      readonly inputs: WireTensors;
    }
  | { readonly kind: 'cancel'; readonly run: number }
  | { readonly kind: 'answer'; readonly call: number; readonly outputs: WireTensors }
  | { readonly kind: 'refusal'; readonly call: number; readonly error: WireError };

export type FromWorker =
  | {
      readonly kind: 'ready';
      readonly signature: Signature;
      readonly calls: readonly string[];
      /** File URLs of the module and the local files that it imports. */
      readonly modules: readonly string[];
    }
  | { readonly kind: 'invalid'; readonly message: string }
  | { readonly kind: 'done'; readonly run: number; readonly outputs: WireTensors }
  | {
      readonly kind: 'failed';
      readonly run: number;
      /** A coded error for the client; absent if the composition threw another error. */
      readonly error?: WireError | undefined;
      /** Any other thrown error, for the log only. */
      readonly fault?: string | undefined;
    }
  /** The worker responds, and will not answer this run. */
  | { readonly kind: 'cancelled'; readonly run: number }
  | {
      readonly kind: 'call';
      readonly call: number;
      readonly run: number;
      readonly deployment: string;
      readonly inputs: WireTensors;
      readonly outputs: readonly string[] | undefined;
    };
