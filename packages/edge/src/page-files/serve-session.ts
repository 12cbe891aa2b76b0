/** The worker of a session: it runs one model of one version until it is ended. */
import type { Session } from '@skein/runtime/contract';
import { given, received, sentError, type FromSession, type ToSession } from '../page/messages.ts';

/**
 * @param prepare loads the library; its fault shows again when the model is opened.
 */
export function serveSession(
  prepare: (threads: number) => Promise<void>,
  open: (model: Uint8Array) => Promise<Session>,
): void {
  const post = (message: FromSession, moved: readonly ArrayBuffer[] = []): void =>
    (postMessage as (message: FromSession, moved: readonly ArrayBuffer[]) => void)(message, moved);
  let prepared: Promise<void> | undefined;
  let session: Session | undefined;

  const work: {
    readonly [T in ToSession['type']]: (message: Extract<ToSession, { type: T }>) => Promise<void>;
  } = {
    async prepare({ lock, threads }) {
      prepared = prepare(threads).catch(() => undefined);
      // Held until the worker ends: the promise never settles.
      void navigator.locks.request(lock, () => {
        post({ type: 'locked' });
        return new Promise<void>(() => undefined);
      });
    },
    async open({ model }) {
      await prepared;
      session = await open(model);
      post({ type: 'opened', signature: session.signature });
    },
    async run({ inputs, outputs }) {
      const { outputs: found, ...times } = await session!.run(received(inputs), outputs);
      const moved: ArrayBuffer[] = [];
      post({ type: 'ran', outputs: given(found, moved), times }, moved);
    },
  };
  addEventListener('message', ({ data }: MessageEvent<ToSession>) => {
    (work[data.type] as (message: ToSession) => Promise<void>)(data).catch((error: unknown) =>
      post({ type: 'failed', error: sentError(error) }),
    );
  });
}
