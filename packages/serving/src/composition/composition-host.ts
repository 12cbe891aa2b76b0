/**
 * The node's side of one composition worker: starts the thread, reports when it is ready and when
 * it has ended, and detects when it does not respond.
 *
 * A worker in an endless loop cannot be stopped by a message: if it does not acknowledge the
 * cancellation of a run within a grace time, its thread is terminated, as if it had crashed.
 */
import { Worker } from 'node:worker_threads';
import { SkeinError } from '@skein/api';
import type { Signature } from '@skein/onnx';
import type { FromWorker, ToWorker, WorkerData } from './messages.ts';

const GRACE_MS = 5_000;

export interface CompositionInterface {
  readonly signature: Signature;
  readonly calls: readonly string[];
  /** File URLs of the module and the local files that it imports. */
  readonly modules: readonly string[];
}

export interface HostOptions {
  /** Whether to call the composition's `warm` before it is ready; default: yes. */
  readonly warm?: boolean;
  readonly onMessage?: (message: Exclude<FromWorker, { kind: 'ready' | 'invalid' }>) => void;
  /** Called once if the thread ends without `close()` after it was ready. */
  readonly onLost?: (reason: string) => void;
}

export class CompositionHost {
  /** Rejects with COMPOSITION_INVALID if the module cannot be loaded or is not a composition. */
  readonly ready: Promise<CompositionInterface>;
  readonly #worker: Worker;
  /** Runs whose cancellation has been sent but not acknowledged. */
  readonly #unanswered = new Map<number, NodeJS.Timeout>();
  #closing = false;
  #reason = 'its thread ended';
  #lastLoad: ReturnType<Worker['performance']['eventLoopUtilization']> | undefined;

  constructor(moduleUrl: string, { warm = true, onMessage, onLost }: HostOptions) {
    const workerData: WorkerData = { moduleUrl, warm };
    this.#worker = new Worker(new URL('./composition-worker.ts', import.meta.url), {
      workerData,
      // Flags of the parent, such as those of a test runner, do not apply to the composition.
      execArgv: [],
    });
    let isReady = false;
    this.ready = new Promise((resolve, reject) => {
      const invalid = (message: string): void =>
        reject(new SkeinError('COMPOSITION_INVALID', `The composition cannot start: ${message}.`));
      this.#worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') {
          isReady = true;
          resolve(message);
        } else if (message.kind === 'invalid') {
          invalid(message.message);
          void this.close();
        } else {
          if (message.kind !== 'call') this.#answered(message.run);
          onMessage?.(message);
        }
      });
      this.#worker.on('error', (error: unknown) => {
        this.#reason = error instanceof Error ? error.message : String(error);
      });
      this.#worker.on('exit', () => {
        for (const timer of this.#unanswered.values()) clearTimeout(timer);
        if (!isReady) invalid(this.#reason);
        else if (!this.#closing) onLost?.(this.#reason);
        this.#closing = true;
      });
    });
    this.ready.catch(() => {});
  }

  send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  /** Tells the worker to cancel a run; its answer may still arrive. */
  cancel(run: number): void {
    if (this.#closing || this.#unanswered.has(run)) return;
    this.send({ kind: 'cancel', run });
    const timer = setTimeout(() => {
      this.#reason = `it did not respond for ${GRACE_MS} ms after a request was cancelled`;
      void this.#worker.terminate();
    }, GRACE_MS);
    this.#unanswered.set(run, timer.unref());
  }

  /** Fraction of the time since the last call that the thread was busy, 0 to 1. */
  load(): number {
    const now = this.#worker.performance.eventLoopUtilization();
    const since = this.#worker.performance.eventLoopUtilization(now, this.#lastLoad);
    this.#lastLoad = now;
    return since.utilization;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#worker.terminate();
  }

  #answered(run: number): void {
    clearTimeout(this.#unanswered.get(run));
    this.#unanswered.delete(run);
  }
}
