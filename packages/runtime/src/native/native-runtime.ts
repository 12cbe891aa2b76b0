/**
 * Native ONNX Runtime: one session per worker thread or child process, because its `create()` and
 * `run()` block the thread that calls them.
 *
 * The package's README has the cost of a worker per run and per start, and of a first session;
 * `scripts/measure.ts` measures them.
 */
import { startProcess, startThread, workerEnvironment } from '@skein/calls';
import { RuntimeFailure } from '../contract.ts';
import type { ModelSource, Runtime, Session, SessionOptions } from '../contract.ts';
import { acceleratorOf, unavailability } from './devices.ts';
import { living } from './living-threads.ts';
import { openSession, type SessionWorker } from './session.ts';
import type { SessionCalls } from './worker.ts';

export const nativeRuntime: Runtime = {
  name: 'native',
  async open(model: ModelSource, options: SessionOptions, signal?: AbortSignal): Promise<Session> {
    const { device, threads, isolation, maxMemoryBytes, maxOutputBytes } = options;
    // For ONNX Runtime, 0 means "every core", which no caller of this contract intends.
    if (!(threads >= 1)) throw new RangeError(`A session takes 1 thread or more, not ${threads}.`);
    const missing = unavailability(device);
    if (missing !== undefined) throw new RuntimeFailure('unavailable', missing);
    // A thread has the memory of this process.
    const bound = isolation === 'process' ? maxMemoryBytes : undefined;
    const worker = startWorker(isolation, bound);
    const request = { model, device, threads, maxMemoryBytes: bound, maxOutputBytes };
    try {
      return await openSession(worker, request, signal);
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

const ENTRY = new URL('./worker.ts', import.meta.url);

function startWorker(
  isolation: SessionOptions['isolation'],
  maxMemoryBytes: number | undefined,
): SessionWorker {
  // Of the options that ONNX Runtime reads from its environment, one lets the model set all others.
  const { ORT_LOAD_CONFIG_FROM_MODEL: _, ...env } = workerEnvironment();
  const options = { name: 'skein-session', env, native: true };
  if (isolation === 'process') {
    return startProcess<SessionCalls>(ENTRY, { ...options, maxMemoryBytes });
  }
  const thread = startThread<SessionCalls>(ENTRY, options);
  living.add(thread);
  void thread.ended.then(() => living.delete(thread));
  return thread;
}
