/** The host of a session's worker: a thread of this process, or a process of its own. */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import type { Reply, Request } from './wire.ts';

export interface Host {
  /** Whether buffers are transferred to the worker; otherwise every message is copied. */
  readonly moves: boolean;
  /** @throws when the message cannot be sent, such as a buffer that has already moved. */
  send(message: Request, moved: ArrayBuffer[]): void;
  /** Called with every answer; set before the first `send`. */
  onReply: (reply: Reply) => void;
  /** Calls `onReply` with an answer that was received but not delivered yet, if there is one. */
  readonly poll?: (() => void) | undefined;
  /** Resolves when the worker has ended for any reason, with a sentence that says how. */
  readonly ended: Promise<string>;
  /** Ends the worker; resolves when it has ended. Idempotent. */
  end(): Promise<void>;
}

export const WORKER_ENTRY = new URL('./worker.ts', import.meta.url);

/**
 * The environment of a worker. Node options apply to the node, not to its workers. The compile
 * cache of the process is passed on explicitly, because a worker does not inherit it: it saves a
 * worker the type stripping, two thirds of its start.
 */
export function workerEnvironment(): NodeJS.ProcessEnv {
  // Of the options that ONNX Runtime reads from its environment, one lets the model set all others.
  const { NODE_OPTIONS: _, ORT_LOAD_CONFIG_FROM_MODEL: __, ...environment } = process.env;
  const cache = getCompileCacheDir();
  // Node reports the subdirectory for its version, inside the directory that was set.
  if (cache !== undefined) environment.NODE_COMPILE_CACHE = dirname(cache);
  return environment;
}
