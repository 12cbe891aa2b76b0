/**
 * A provider whose model runs on this machine, in a child process: a crash of native code ends its
 * streams with an error and nothing else, and the next request starts the process again.
 */
import { availableParallelism } from 'node:os';
import { SkeinError } from '@skein/api';
import { startProcess, WorkerLost, type CallWorker } from '@skein/calls';
import type { Provider } from '../contract.ts';
import { FIELD_ERROR } from '../field-error.ts';
import { callsOf } from '../providers/one-call.ts';
import { refuseUnkept, type Support } from '../providers/unkept-fields.ts';
import type { EngineState } from './engine/engine.ts';
import type { LocalModelInfo, LocalModelOptions } from './local-model.ts';
import type { ModelCalls } from './model-process.ts';

/**
 * Defaults: cores − 1 threads, at least 1, because with all cores a neighbour slows every product; 16
 * rows, 64 waiting requests, 1 GiB of keys and values, and the context of the model up to 4096 tokens.
 */
export interface LocalProviderOptions extends Optional<Omit<LocalModelOptions, 'path'>> {
  /** For messages and metrics. Default: `local`. */
  readonly name?: string | undefined;
  readonly path: string;
}

type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined };

export interface LocalProvider extends Provider {
  readonly info: LocalModelInfo;
  /** The engine's current state; starts the process if it has ended. */
  state(): Promise<EngineState & { readonly pid: number }>;
}

const ENTRY = new URL('./model-process.ts', import.meta.url);
const GIB = 2 ** 30;
const SUPPORT: Support = { lacks: [], google: false };

interface Opened {
  readonly worker: CallWorker<ModelCalls>;
  readonly info: LocalModelInfo;
}

/** @throws SkeinError LANGUAGE_MODEL_INVALID when the path is not a model that can be run, GGUF_UNAVAILABLE, MODEL_MEMORY. */
export async function openLocalProvider(options: LocalProviderOptions): Promise<LocalProvider> {
  const { name = 'local', path, maxContext = 4096 } = options;
  const { threads = Math.max(1, availableParallelism() - 1), maxRows = 16 } = options;
  const { maxQueued = 64, cacheBytes = GIB } = options;
  const model = { path, threads, maxRows, maxQueued, cacheBytes, maxContext };
  let isClosed = false;
  let current: Promise<Opened> | undefined;

  async function start(): Promise<Opened> {
    const worker = startProcess<ModelCalls>(ENTRY, {
      name: `skein-model-${name}`,
      errors: [FIELD_ERROR, SkeinError],
      native: true,
    });
    try {
      return { worker, info: await worker.call('open', model) };
    } catch (error) {
      await worker.stop();
      throw failureOf(error, false);
    }
  }
  /** Uses the process, which is started when none runs. */
  function opened(): Promise<Opened> {
    if (isClosed) throw new SkeinError('NODE_DRAINING', `The provider ${name} is closed.`);
    if (current !== undefined) return current;
    const started = start();
    const reset = (): void => {
      if (current === started) current = undefined;
    };
    started.then(({ worker }) => void worker.ended.then(reset), reset);
    return (current = started);
  }
  function failureOf(error: unknown, hasBegun: boolean): unknown {
    if (!(error instanceof WorkerLost)) return error;
    const what = `The process of the local model ${name} ended`;
    return hasBegun
      ? new SkeinError('PROVIDER_CUT', `${what} in the middle of the answer.`, { cause: error })
      : new SkeinError('PROVIDER_FAILED', `${what} before the answer began.`, { cause: error });
  }

  const { info } = await opened();
  return {
    name,
    continues: info.continues,
    info,
    async *generate(request, { signal, gapMs }) {
      refuseUnkept(name, request, SUPPORT);
      let hasBegun = false;
      try {
        const { worker } = await opened();
        const events = worker.stream('generate', { request, gapMs }, { signal });
        for await (const event of callsOf(events, request)) {
          hasBegun = true;
          yield event;
        }
      } catch (error) {
        throw failureOf(error, hasBegun);
      }
    },
    async countTokens(request, { signal }) {
      try {
        return await (await opened()).worker.call('countTokens', request, { signal });
      } catch (error) {
        throw failureOf(error, false);
      }
    },
    state: async () => (await opened()).worker.call('state', undefined),
    async close() {
      isClosed = true;
      const last = await current?.catch(() => undefined);
      await last?.worker.stop();
    },
  };
}
