/** The worker of a page's edge: keeps the bundle current in the private files of the origin, and decides where to answer. */
import { env } from 'onnxruntime-common';
import type { Edge } from '../hybrid/answers.ts';
import { openEdge } from '../hybrid/edge.ts';
import {
  given,
  received,
  sentError,
  type FromEdge,
  type OpenOptions,
  type ToEdge,
} from '../page/messages.ts';
import { sessionOpener, type SessionOpener } from '../page/open-session.ts';
import { httpSource } from '../trust/source.ts';
import { opfsStorage } from '../update/opfs-storage.ts';

let edge: Edge | undefined;
let opener: SessionOpener | undefined;

async function open(options: OpenOptions): Promise<undefined> {
  const { model, source, pinnedRoot, server, threads, backends } = options;
  const folder = `skein edge ${model}`;
  const sessions = sessionOpener(new URL('./', import.meta.url), threads, backends);
  opener = sessions;
  edge = await openEdge({
    name: model,
    source: httpSource(source),
    pinnedRoot,
    server,
    storage: opfsStorage(folder),
    exclusive: (work) => navigator.locks.request(folder, work),
    backend: 'wasm',
    runtimeVersion: env.versions.common,
    open: (bytes, version) => sessions.open(bytes, version),
  });
}

async function resultOf(call: ToEdge['call'], moved: ArrayBuffer[]): Promise<FromEdge['result']> {
  switch (call.name) {
    case 'open':
      return open(call.options);
    case 'infer': {
      const { outputs, ...answer } = await edge!.infer(received(call.inputs), call.options);
      return { answer, outputs: given(outputs, moved) };
    }
    case 'update':
      return { outcome: await edge!.update() };
    case 'close':
      opener?.close();
      await edge?.close();
      return undefined;
  }
}

async function answer({ id, call }: ToEdge): Promise<void> {
  const moved: ArrayBuffer[] = [];
  const result = await resultOf(call, moved).catch((error: unknown) => ({
    error: sentError(error),
  }));
  const { version, failed = [], runsOn } = edge ?? {};
  const message: FromEdge = { id, status: { version, failed, runsOn }, result };
  (postMessage as (message: FromEdge, moved: readonly ArrayBuffer[]) => void)(message, moved);
}

addEventListener('message', ({ data }: MessageEvent<ToEdge>) => void answer(data));
