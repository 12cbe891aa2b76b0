/**
 * Native ONNX Runtime: one session per worker thread or child process, because its `create()` and
 * `run()` block the thread that calls them.
 *
 * The package's README has the cost of a worker per run and per start, and of a first session;
 * `scripts/measure.ts` measures them.
 */
import { RuntimeFailure } from '../contract.ts';
import type { ModelSource, Runtime, Session, SessionOptions } from '../contract.ts';
import { acceleratorOf, unavailability } from './devices.ts';
import { processHost } from './process-host.ts';
import { openSession } from './session.ts';
import { threadHost } from './thread-host.ts';

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
      const accelerator = acceleratorOf(device);
      if (!(error instanceof RuntimeFailure) || !accelerator?.trouble.test(error.message)) {
        throw error;
      }
      throw new RuntimeFailure(
        'unavailable',
        `The device ${device} is not available: ${error.message} ${accelerator.requires}`,
        { cause: error },
      );
    }
  },
};
