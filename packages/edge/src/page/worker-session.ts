/**
 * A session in a worker of its own. The worker holds a lock while it lives, so its end is seen whatever the cause: a
 * browser reports an error of a worker, but neither that it has closed itself nor that it was ended for its memory.
 */
import { RuntimeFailure, type Session } from '@skein/runtime/contract';
import type { Bytes } from '../trust/source.ts';
import { copied, received, receivedError, type FromSession, type ToSession } from './messages.ts';

/** A worker that loads its libraries before there is a model for it. */
export interface SessionWorker {
  /** @throws RuntimeFailure `load`, `memory`, `lost`. Ends the worker then. */
  open(model: Bytes): Promise<Session>;
  close(): void;
}

/** @param script of the worker. */
export function startSessionWorker(script: URL, threads: number): SessionWorker {
  const worker = new Worker(script, { type: 'module', name: 'session' });
  const lock = `skein session ${crypto.randomUUID()}`;
  let waiting: PromiseWithResolvers<Extract<FromSession, { type: 'opened' | 'ran' }>> | undefined;
  /** Why the worker has ended. */
  let ended: RuntimeFailure | undefined;
  const { promise: lost, resolve: lose } = Promise.withResolvers<RuntimeFailure>();
  const post = (message: ToSession, moved: readonly ArrayBuffer[] = []): void =>
    worker.postMessage(message, [...moved]);

  function fail(failure: RuntimeFailure): void {
    if (ended !== undefined) return;
    ended = failure;
    worker.terminate();
    waiting?.reject(failure);
    lose(failure);
  }
  function close(): void {
    ended ??= new RuntimeFailure('lost', 'The session was closed.');
    worker.terminate();
    waiting?.reject(ended);
  }

  worker.addEventListener('error', (event) => {
    event.preventDefault();
    const reason = event.message ?? 'its script cannot be loaded';
    fail(new RuntimeFailure('lost', `The worker of the session has failed: ${reason}.`));
  });
  worker.addEventListener('message', ({ data }: MessageEvent<FromSession>) => {
    switch (data.type) {
      case 'locked':
        void navigator.locks.request(lock, () =>
          fail(new RuntimeFailure('lost', 'The worker of the session has ended.')),
        );
        return;
      case 'failed':
        waiting?.reject(receivedError(data.error));
        return;
      default:
        waiting?.resolve(data);
    }
  });
  post({ type: 'prepare', lock, threads });

  async function exchange<T extends 'opened' | 'ran'>(
    message: ToSession,
    moved: readonly ArrayBuffer[],
  ): Promise<Extract<FromSession, { type: T }>> {
    if (ended !== undefined) throw ended;
    if (waiting !== undefined) throw new RuntimeFailure('run', 'The session is still running.');
    waiting = Promise.withResolvers();
    post(message, moved);
    try {
      return (await waiting.promise) as Extract<FromSession, { type: T }>;
    } finally {
      waiting = undefined;
    }
  }

  return {
    async open(model) {
      try {
        const { signature } = await exchange<'opened'>({ type: 'open', model }, [model.buffer]);
        return {
          signature,
          lost,
          async run(inputs, outputs) {
            const moved: ArrayBuffer[] = [];
            const sent = copied(inputs, moved);
            const ran = await exchange<'ran'>({ type: 'run', inputs: sent, outputs }, moved);
            return { ...ran.times, outputs: received(ran.outputs) };
          },
          close: async () => close(),
        };
      } catch (error) {
        close();
        throw error;
      }
    },
    close,
  };
}
