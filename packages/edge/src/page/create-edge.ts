/**
 * A model in a page, with the interface of `createEdge` in Node. A worker keeps the bundle in the private files of the
 * origin; each version computes in a further worker of its own. The page itself computes nothing.
 */
import { SkeinError } from '@skein/api/errors';
import type { Edge, EdgeServer } from '../hybrid/answers.ts';
import type { Bytes } from '../trust/source.ts';
import {
  copied,
  received,
  receivedError,
  type EdgeStatus,
  type FromEdge,
  type PageBackend,
  type ToEdge,
} from './messages.ts';

/** More threads than these gain little, and the page has other work. */
const MOST_THREADS = 4;

export interface PageEdgeOptions {
  /** Name of the bundle, and of the deployment on the node. */
  readonly model: string;
  /** Address of the publisher's files. */
  readonly source: string;
  /** The root that the application brings. */
  readonly pinnedRoot: Bytes;
  /** The node that answers in place of the device. Default: none. */
  readonly server?: EdgeServer | undefined;
  /** Threads of WebAssembly where the page is cross-origin isolated. Default: half of the cores, at most 4. */
  readonly threads?: number;
  /** Backends that may be used; default: all that this browser has. */
  readonly backends?: readonly PageBackend[] | undefined;
  /** Folder of `edge-worker.js` and the other files of `pageFiles`. Default: the folder of this script. */
  readonly scripts?: string | URL;
}

export interface PageEdge extends Edge {
  /** Whether the browser keeps the bundle where space is short; undefined before the first update. */
  readonly isPersistent: boolean | undefined;
}

/** Opens what is installed, without a network. @throws SkeinError. */
export async function createEdge(options: PageEdgeOptions): Promise<PageEdge> {
  const { model, source, pinnedRoot, server, backends } = options;
  const { threads = Math.min(MOST_THREADS, Math.ceil(navigator.hardwareConcurrency / 2)) } =
    options;
  const folder = new URL(
    options.scripts ?? './',
    options.scripts ? location.href : import.meta.url,
  );
  const script = new URL('edge-worker.js', folder);
  const worker = new Worker(script, { type: 'module', name: `edge ${model}` });
  const waiting = new Map<number, PromiseWithResolvers<FromEdge['result']>>();
  let status: EdgeStatus = { version: undefined, failed: [], runsOn: undefined };
  let isPersistent: boolean | undefined;
  let count = 0;

  worker.addEventListener('message', ({ data }: MessageEvent<FromEdge>) => {
    const { id, result } = data;
    ({ status } = data);
    const call = waiting.get(id);
    waiting.delete(id);
    if (result !== undefined && 'error' in result) call?.reject(receivedError(result.error));
    else call?.resolve(result);
  });
  worker.addEventListener('error', (event) => {
    const reason = event.message ?? `${script.href} cannot be loaded`;
    const error = new SkeinError('INTERNAL', `The worker of the page has failed: ${reason}.`);
    for (const call of waiting.values()) call.reject(error);
    waiting.clear();
  });

  function ask(call: ToEdge['call'], moved: ArrayBuffer[] = []): Promise<FromEdge['result']> {
    const id = count++;
    const answer = Promise.withResolvers<FromEdge['result']>();
    waiting.set(id, answer);
    worker.postMessage({ id, call } satisfies ToEdge, moved);
    return answer.promise;
  }

  const address = new URL(source, location.href).href;
  const opening = { model, source: address, pinnedRoot, server, threads, backends };
  await ask({ name: 'open', options: opening });
  return {
    get version() {
      return status.version;
    },
    get failed() {
      return status.failed;
    },
    get runsOn() {
      return status.runsOn;
    },
    get isPersistent() {
      return isPersistent;
    },
    async infer(inputs, options = {}) {
      const moved: ArrayBuffer[] = [];
      const call = { name: 'infer', inputs: copied(inputs, moved), options } as const;
      const { answer, outputs } = (await ask(call, moved)) as Extract<
        FromEdge['result'],
        { answer: unknown }
      >;
      return { ...answer, outputs: received(outputs) };
    },
    async update() {
      // Browsers answer for the whole origin, and some ask the user.
      isPersistent = await navigator.storage.persist();
      const { outcome } = (await ask({ name: 'update' })) as Extract<
        FromEdge['result'],
        { outcome: unknown }
      >;
      return outcome;
    },
    async close() {
      await ask({ name: 'close' });
      worker.terminate();
    },
  };
}
