/**
 * Native ONNX Runtime: one session per worker thread or child process, because its `create()` and
 * `run()` block the thread that calls them.
 *
 * The package's README has the cost of a worker per run and per start, and of a first session;
 * `scripts/measure.ts` measures them.
 */
import { startProcess, startThread, workerEnvironment, type StartedThread } from '@skein/calls';
import { RuntimeFailure } from '../contract.ts';
import type { ModelSource, Runtime, Session, SessionOptions } from '../contract.ts';
import { acceleratorOf, unavailability } from './devices.ts';
import { living } from './living-threads.ts';
import { openSession, type SessionWorker } from './session.ts';
import type { SessionCalls } from './worker.ts';

export const nativeRuntime: Runtime = {
  name: 'native',
  prepare() {
    const thread = (spare ??= startSessionThread());
    return {
      async release() {
        if (spare !== thread) return;
        spare = undefined;
        await thread.stop();
      },
    };
  },
  async open(model: ModelSource, options: SessionOptions, signal?: AbortSignal): Promise<Session> {
    const { device, threads, isolation, maxMemoryBytes, maxOutputBytes, yields } = options;
    // For ONNX Runtime, 0 means "every core", which no caller of this contract intends.
    if (!(threads >= 1)) throw new RangeError(`A session takes 1 thread or more, not ${threads}.`);
    const missing = unavailability(device);
    if (missing !== undefined) throw new RuntimeFailure('unavailable', missing);
    // A thread has the memory of this process.
    const bound = isolation === 'process' ? maxMemoryBytes : undefined;
    const worker = startWorker(isolation, bound, yields);
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
  async openInline(model, options) {
    // It loads ONNX Runtime's library, which a node without such a session does not need in this thread.
    const { openInlineSession } = await import('./inline-session.ts');
    return openInlineSession(model, options);
  },
};

const ENTRY = new URL('./worker.ts', import.meta.url);

/** A thread that has loaded ONNX Runtime and no model; the next session in a thread takes it. */
let spare: StartedThread<SessionCalls> | undefined;

function startWorker(
  isolation: SessionOptions['isolation'],
  maxMemoryBytes: number | undefined,
  yields: boolean | undefined,
): SessionWorker {
  if (isolation === 'process') {
    return startProcess<SessionCalls>(ENTRY, { ...workerOptions(), maxMemoryBytes, yields });
  }
  const thread = spare ?? startSessionThread();
  spare = undefined;
  return thread;
}

function startSessionThread(): StartedThread<SessionCalls> {
  const thread = startThread<SessionCalls>(ENTRY, workerOptions());
  living.add(thread);
  void thread.ended.then(() => {
    living.delete(thread);
    if (spare === thread) spare = undefined;
  });
  return thread;
}

function workerOptions() {
  // Among the options that ONNX Runtime reads from its environment, one lets the model set all others.
  const { ORT_LOAD_CONFIG_FROM_MODEL: _, ...env } = workerEnvironment();
  return { name: 'skein-session', env, native: true };
}
