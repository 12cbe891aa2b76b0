/**
 * The node's side of one composition worker: starts the thread, reports when it is ready and when
 * it has ended, and detects when it does not respond.
 *
 * A worker in an endless loop cannot be stopped by a message: if it does not confirm the
 * cancellation of a run within a grace time, its thread is terminated, as if it had crashed.
 */
import type { EventLoopUtilization } from 'node:perf_hooks';
import { SkeinError } from '@skein/api';
import { startThread, WorkerLost, type CallOptions, type StartedThread } from '@skein/calls';
import type { WireTensors } from '../tensor-transfer.ts';
import type {
  CompositionCalls,
  CompositionInterface,
  HostCalls,
  RunMessage,
} from './composition-worker.ts';

const GRACE_MS = 5_000;
const ENTRY = new URL('./composition-worker.ts', import.meta.url);

export interface HostOptions {
  /** Whether to call the composition's `warm` before it is ready; default: yes. */
  readonly warm?: boolean;
  readonly serves?: HostCalls;
  /** Called once if the thread ends without `close()` after it was ready. */
  readonly onLost?: (reason: string) => void;
}

export class CompositionHost {
  /** Rejects with COMPOSITION_INVALID if the module cannot be loaded or is not a composition. */
  readonly ready: Promise<CompositionInterface>;
  readonly #thread: StartedThread<CompositionCalls>;
  #closing = false;
  #lastLoad: EventLoopUtilization | undefined;

  constructor(moduleUrl: string, { warm = true, serves, onLost }: HostOptions) {
    this.#thread = startThread<CompositionCalls>(ENTRY, {
      name: 'skein-composition',
      errors: [SkeinError],
      stuckAfterMs: GRACE_MS,
      ...(serves === undefined ? {} : { serves }),
    });
    this.ready = this.#load(moduleUrl, warm);
    void this.ready.then(
      async () => {
        const lost = await this.#thread.ended;
        if (!this.#closing) onLost?.(reasonOf(lost));
      },
      () => undefined,
    );
  }

  /** @throws the error of the composition; WorkerLost when its thread has ended. */
  run(message: RunMessage, options: CallOptions): Promise<WireTensors> {
    return this.#thread.call('run', message, { ...options, confirm: true });
  }

  /** Fraction of the time since the last call that the thread was busy, 0 to 1. */
  load(): number {
    const { performance } = this.#thread.worker;
    const now = performance.eventLoopUtilization();
    const since = performance.eventLoopUtilization(now, this.#lastLoad);
    this.#lastLoad = now;
    return since.utilization;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#thread.stop();
  }

  async #load(moduleUrl: string, warm: boolean): Promise<CompositionInterface> {
    try {
      return await this.#thread.call('load', { moduleUrl, warm });
    } catch (error) {
      void this.close();
      const message = `The composition cannot start: ${reasonOf(error)}.`;
      throw new SkeinError('COMPOSITION_INVALID', message);
    }
  }
}

function reasonOf(error: unknown): string {
  const reason = error instanceof WorkerLost ? (error.cause ?? error) : error;
  return reason instanceof Error ? reason.message : String(reason);
}
