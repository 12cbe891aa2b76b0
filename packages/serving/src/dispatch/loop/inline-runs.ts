/**
 * Runs of lone requests on the thread of the loop itself.
 *
 * A run in a replica takes a message to another thread and one back, and where requests come one at a time both threads
 * have slept: this adds 0.12 to 0.25 ms to runs of 0.1. A lone request therefore runs here, where that can hold up no
 * other:
 *
 * - The last requests came one at a time, while nothing waited or ran in the whole node.
 * - In the replica, a run of this size takes at most half a millisecond, which is about what this thread takes to read a
 *   large request.
 * - What it takes depends on the sizes of its inputs alone, so that it cannot suddenly take longer.
 * - The model runs in a thread of this process anyway, on one core, and its weights are small: here is a second copy.
 *
 * Now and then one runs in the replica nevertheless: admission plans with what those show, and not with what runs here.
 */
import { readFile, stat } from 'node:fs/promises';
import type { DeploymentSettings } from '@skein/api';
import { externalTensors, isSizeBound, readModel } from '@skein/onnx';
import type { InlineSession, ModelSource, Runtime } from '@skein/runtime';
import type { Instant } from '../../contract.ts';
import { MAX_OUTPUT_BYTES } from '../../scaling/model-memory.ts';
import type { Ticket } from '../queue/ticket.ts';
import { replicaTuning } from '../replica-tuning.ts';
import type { LoopThread } from './loop-thread.ts';

export interface InlineRunsOptions {
  readonly runtime: Runtime;
  readonly model: ModelSource;
  readonly settings: Pick<DeploymentSettings, 'device' | 'threads'>;
  readonly thread: LoopThread;
}

/** Recent times of runs of the same sizes. */
interface Known {
  /** Inside the backend, in milliseconds. */
  computeMs: number;
  /** When the last one ran in the replica. */
  at: Instant;
  /** Runs here since then. */
  inlineRuns: number;
}

/** The time of a run with one request. */
type Sized = Pick<Ticket, 'lane' | 'rows'>;

const tuning = replicaTuning.inline;

export class InlineRuns {
  readonly thread: LoopThread;
  readonly #options: InlineRunsOptions;
  /** By rows and all other sizes. */
  readonly #known = new Map<string, Known>();
  /** Consecutive requests that came alone. */
  #alone = 0;
  #session: InlineSession | undefined;
  /** Bytes of weights that are reserved. */
  #reserved = 0;
  #mayOpen: boolean;
  /** Whether its weights did not fit. */
  #isFull = false;
  #isStopped = false;
  #isUsed = false;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: InlineRunsOptions) {
    const { device, threads } = options.settings;
    this.thread = options.thread;
    this.#options = options;
    this.#mayOpen = options.runtime.openInline !== undefined && device === 'cpu' && threads === 1;
  }

  /** To be called for every request. @param isOnly whether no other waits for this version. */
  arrive(isOnly: boolean): void {
    this.#alone = isOnly && this.thread.arrivesAlone() ? this.#alone + 1 : 0;
  }

  /** The session for a run; undefined: it runs in its replica. */
  sessionFor(run: Sized, now: Instant): InlineSession | undefined {
    if (this.#alone < tuning.loneRequests) return undefined;
    const known = this.#known.get(keyOf(run));
    if (known === undefined || known.computeMs > tuning.longestMs) return undefined;
    const isDue = now - known.at > tuning.replicaEveryMs;
    if (isDue && known.inlineRuns >= tuning.replicaEveryRuns) return undefined;
    this.#isUsed = true;
    if (this.#mayOpen) void this.#open();
    return this.#session;
  }

  /** A run with one request has ended: in the replica, or here. */
  ran(run: Sized, computeMs: number, isInline: boolean, now: Instant): void {
    if (this.#alone === 0) return;
    const key = keyOf(run);
    let known = this.#known.get(key);
    if (known === undefined) {
      if (this.#known.size === tuning.sizes) this.#known.clear();
      this.#known.set(key, (known = { computeMs, at: now, inlineRuns: 0 }));
    }
    known.computeMs += tuning.gain * (computeMs - known.computeMs);
    known.inlineRuns++;
    if (isInline) return;
    known.at = now;
    known.inlineRuns = 0;
  }

  /** No more runs: gives back the memory. */
  stop(): void {
    this.#isStopped = true;
    this.#mayOpen = false;
    clearInterval(this.#watch);
    this.#close();
  }

  async #open(): Promise<void> {
    this.#mayOpen = false;
    this.#watch ??= setInterval(() => this.#review(), tuning.unusedMs).unref();
    const { runtime, model, settings } = this.#options;
    try {
      const bytes = 'path' in model ? (await stat(model.path)).size : model.bytes.byteLength;
      if (bytes > tuning.modelBytes) return;
      this.#isFull = !this.thread.reserve(bytes);
      if (this.#isFull) return;
      this.#reserved = bytes;
      const parsed = readModel('path' in model ? await readFile(model.path) : model.bytes);
      if (parsed.graph!.node.length > tuning.nodes) return;
      if (externalTensors(parsed).length > 0 || !isSizeBound(parsed)) return;
      const options = { ...settings, maxOutputBytes: MAX_OUTPUT_BYTES };
      const session = await runtime.openInline!(model, options);
      if (this.#isStopped) session.close();
      else this.#session = session;
    } catch {
      // Its replicas report why.
    } finally {
      if (this.#session === undefined) this.#close();
    }
  }

  /** Gives back the memory of what has not been used for a while; tries again where there was none. */
  #review(): void {
    if (this.#session !== undefined && !this.#isUsed) {
      this.#close();
      this.#alone = 0;
      this.#mayOpen = true;
    }
    if (this.#isFull) this.#mayOpen = true;
    this.#isFull = false;
    this.#isUsed = false;
  }

  #close(): void {
    this.#session?.close();
    this.#session = undefined;
    this.thread.release(this.#reserved);
    this.#reserved = 0;
  }
}

function keyOf({ lane, rows }: Sized): string {
  return `${rows}x${lane.key}`;
}
