/**
 * Native ONNX Runtime: one session per worker thread or child process, because its `create()` and
 * `run()` block the thread that calls them.
 *
 * Measured on two cores, 784 floats in: a run in a worker thread costs 25–60 µs more than a bare
 * `run()`, in a child process 40–80 µs (the upper end where the core has slept meanwhile). A warm
 * start costs 100 ms: 30 for the thread, 10 for ONNX Runtime's library, the rest for the modules
 * and the model. See docs/concepts for where the first session's time goes.
 */
import { RuntimeFailure } from '../contract.ts';
import type { ModelSource, Runtime, Session, SessionOptions } from '../contract.ts';
import { unavailability } from './devices.ts';
import { processHost } from './process-host.ts';
import { openSession } from './session.ts';
import { threadHost } from './thread-host.ts';

/** What ONNX Runtime says when the provider is installed but the machine cannot run it. */
const CUDA_TROUBLE = /providers?_(?:cuda|shared)|Cuda|CUDA|cudnn|cublas/;

export const nativeRuntime: Runtime = {
  name: 'native',
  async open(model: ModelSource, options: SessionOptions): Promise<Session> {
    const { device, threads, isolation } = options;
    const missing = unavailability(device);
    if (missing !== undefined) throw new RuntimeFailure('unavailable', missing);
    const host = isolation === 'thread' ? threadHost() : processHost();
    try {
      return await openSession(host, { model, device, threads });
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
