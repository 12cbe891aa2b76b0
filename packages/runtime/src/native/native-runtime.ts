/**
 * Native ONNX Runtime: one session per worker thread or child process, because its `create()` and
 * `run()` block the thread that calls them.
 *
 * The package's README has the cost of a worker per run and per start, and of a first session;
 * `scripts/measure.ts` measures them.
 */
import { RuntimeFailure } from '../contract.ts';
import type { ModelSource, Runtime, Session, SessionOptions } from '../contract.ts';
import { unavailability } from './devices.ts';
import { processHost } from './process-host.ts';
import { openSession } from './session.ts';
import { threadHost } from './thread-host.ts';

/** ONNX Runtime's message when the provider is installed but the machine cannot run it. */
const CUDA_TROUBLE = /providers?_(?:cuda|shared)|Cuda|CUDA|cudnn|cublas/;

export const nativeRuntime: Runtime = {
  name: 'native',
  async open(model: ModelSource, options: SessionOptions, signal?: AbortSignal): Promise<Session> {
    const { device, threads, isolation, maxMemoryBytes, maxOutputBytes } = options;
    // For ONNX Runtime, 0 means "every core", which no caller of this contract intends.
    if (!(threads >= 1)) throw new RangeError(`A session takes 1 thread or more, not ${threads}.`);
    const missing = unavailability(device);
    if (missing !== undefined) throw new RuntimeFailure('unavailable', missing);
    const host = isolation === 'thread' ? threadHost() : processHost(maxMemoryBytes);
    try {
      return await openSession(host, { model, device, threads, maxOutputBytes }, signal);
    } catch (error) {
      if (
        device === 'cuda' &&
        error instanceof RuntimeFailure &&
        CUDA_TROUBLE.test(error.message)
      ) {
        throw new RuntimeFailure(
          'unavailable',
          `The device cuda is not available: ${error.message} CUDA 12 and cuDNN 9 must be installed, and the driver must be recent enough for them (\`nvidia-smi\`).`,
          { cause: error },
        );
      }
      throw error;
    }
  },
};
