/** Where a session's worker lives: a thread of this process, or a process of its own. */
import type { LoadReply, LoadRequest, RunReply, RunRequest } from './wire.ts';

export interface Host {
  send(message: LoadRequest | RunRequest, transfer: ArrayBuffer[]): void;
  /** Called with every answer; set once, before the first `send`. */
  onReply: (reply: LoadReply | RunReply) => void;
  /** Resolves when the worker has ended for whatever cause, with a sentence that says how. */
  readonly ended: Promise<string>;
  /** Ends the worker; resolves when it has ended. Idempotent. */
  end(): Promise<void>;
}

/** The worker's entry file: TypeScript in the repository, JavaScript in a published package. */
export const WORKER_ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js',
  import.meta.url,
);
