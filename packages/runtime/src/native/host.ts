/** Where a session's worker lives: a thread of this process, or a process of its own. */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import type { Reply, Request } from './wire.ts';

export interface Host {
  /** Whether buffers move to the worker; otherwise everything that is sent is copied. */
  readonly moves: boolean;
  /** @throws when the message cannot be sent, such as a buffer that has already moved. */
  send(message: Request, moved: ArrayBuffer[]): void;
  /** Called with every answer; set before the first `send`. */
  onReply: (reply: Reply) => void;
  /** Calls `onReply` with an answer that waits to be handed out, if there is one. */
  readonly poll?: (() => void) | undefined;
  /** Resolves when the worker has ended for whatever cause, with a sentence that says how. */
  readonly ended: Promise<string>;
  /** Ends the worker; resolves when it has ended. Idempotent. */
  end(): Promise<void>;
}

export const WORKER_ENTRY = new URL('./worker.ts', import.meta.url);

/**
 * The environment of a worker. Node options are those of the node, not of its workers. A compile
 * cache that the process uses is handed on, which a worker does not inherit by itself: it saves a
 * worker the stripping of types, two thirds of its start.
 */
export function workerEnvironment(): NodeJS.ProcessEnv {
  // Of the options that ONNX Runtime takes from its environment, one lets the model set all others.
  const { NODE_OPTIONS: _, ORT_LOAD_CONFIG_FROM_MODEL: __, ...environment } = process.env;
  const cache = getCompileCacheDir();
  // The directory that is reported is the one for this version of Node, inside the one to be set.
  if (cache !== undefined) environment.NODE_COMPILE_CACHE = dirname(cache);
  return environment;
}
