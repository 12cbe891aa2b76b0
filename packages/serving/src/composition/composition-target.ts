/**
 * A composition as a target. Requests run in worker threads, several at once per worker, because
 * they mostly await their calls. Calls return to this thread, which forwards them as inference
 * requests with the deadline, trace, tenant and priority of the composition's request.
 *
 *   submit → admission → queue, by share and deadline → worker ⇄ calls → answer
 *
 * The inputs of a request are copied into the worker, because a request whose worker crashes is
 * retried once. Calls, their outputs and the answer are moved.
 */
import { pathToFileURL } from 'node:url';
import { SkeinError } from '@skein/api';
import { WorkerLost } from '@skein/calls';
import type { Signature, Tensor } from '@skein/onnx';
import type { VersionRecord } from '@skein/state';
import type { WeightOf } from '../dispatch/queue/deadline-queue.ts';
import type {
  Clock,
  Inference,
  InferenceAnswer,
  Instant,
  ServingObserver,
  Target,
  TargetRequest,
  TargetSnapshot,
} from '../contract.ts';
import { requestCheck, type RequestCheck } from '../dispatch/loop/request-check.ts';
import type { ServingLog } from '../serving-log.ts';
import { createRunWindow, refusalOf } from './composition-admission.ts';
import { callForwarder } from './call-forwarder.ts';
import { CompositionQueue } from './composition-queue.ts';
import { CompositionRun } from './composition-run.ts';
import { CompositionWorkers, type Slot } from './composition-workers.ts';
import { pack, unpack } from '../tensor-transfer.ts';

export interface CompositionOptions {
  readonly deployment: string;
  readonly record: VersionRecord;
  /** Absolute path of the module. */
  readonly modulePath: string;
  /** Requests that may wait for a worker. */
  readonly maxQueue: number;
  readonly objectiveMs: number;
  /** Timeout for the first worker to become ready. */
  readonly startTimeoutMs: number;
  /** Shares of tenants. */
  readonly weightOf: WeightOf;
  /** Whether to refuse NaN and infinity. */
  readonly finiteOnly: boolean;
  readonly clock: Clock;
  readonly observer: ServingObserver;
  readonly infer: Inference['infer'];
  readonly log: ServingLog;
}

/** Requests at once in one worker. */
const PER_WORKER = 16;
/** Above this busy time, requests wait for the worker itself and not for what it calls. */
const BUSY = 0.8;
const LOAD_EVERY_MS = 500;
const EMPTY: Signature = { inputs: [], outputs: [] };

export class CompositionTarget implements Target {
  readonly kind = 'composition';
  readonly version: string;
  readonly maxBatchRows = 1;
  signature: Signature;
  calls: readonly string[] = [];

  readonly #options: CompositionOptions;
  readonly #workers: CompositionWorkers;
  readonly #forward: ReturnType<typeof callForwarder>;
  readonly #window = createRunWindow();
  readonly #queue: CompositionQueue;
  readonly #refused: Record<string, number> = {};
  #lastRun = 0;
  #inFlight = 0;
  #arrived = 0;
  #answered = 0;
  #answeredInTime = 0;
  #load = 0;
  #loadAt = -Infinity;
  #draining: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;
  /** Set once a worker has been ready. */
  #check: RequestCheck | undefined;
  #waiters: { resolve: () => void; reject: (error: SkeinError) => void }[] = [];

  constructor(options: CompositionOptions) {
    const { deployment, record, clock, observer } = options;
    this.#options = options;
    const { maxQueue: maxRequests, objectiveMs, weightOf } = options;
    this.#queue = new CompositionQueue({ maxRequests, objectiveMs, weightOf });
    this.#forward = callForwarder(options);
    this.version = record.version;
    this.signature = record.signature ?? EMPTY;
    const moduleUrl = pathToFileURL(options.modulePath).href;
    this.#workers = new CompositionWorkers(moduleUrl, `${deployment}/${record.version}`, clock, {
      ready: (_slot, offers) => {
        this.signature = offers.signature;
        this.calls = offers.calls;
        this.#check = requestCheck(offers.signature, options.finiteOnly);
        for (const { resolve } of this.#waiters.splice(0)) resolve();
        this.#pump();
      },
      call: (slot, message) => this.#forward(slot.running.get(message.run), message),
      lost: (slot, reason) => this.#lost(slot, reason),
      failed: (error) => {
        for (const { reject } of this.#waiters.splice(0)) reject(error);
      },
      changed: (replica) => observer.replicaChanged(deployment, record.version, replica),
    });
  }

  submit(request: TargetRequest): Promise<InferenceAnswer> {
    this.#arrived++;
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return Promise.reject(this.#refuse(request, refusal));
    return new Promise((resolve, reject) => {
      const { clock } = this.#options;
      const run = new CompositionRun(
        ++this.#lastRun,
        request,
        clock.now(),
        this.#inSystem + 1,
        resolve,
        reject,
      );
      run.watch(
        () =>
          this.#giveUp(
            run,
            'DEADLINE_EXCEEDED',
            'The deadline passed before the composition answered.',
          ),
        () => this.#giveUp(run, 'CANCELLED', 'The client cancelled the request.'),
      );
      this.#queue.push(run, this.#options.clock.now());
      this.#pump();
    });
  }

  snapshot(): TargetSnapshot {
    const now = this.#options.clock.now();
    if (now - this.#loadAt >= LOAD_EVERY_MS) {
      this.#load = this.#workers.load();
      this.#loadAt = now;
    }
    const p50Ms = this.#window.quantile(0.5, now);
    return {
      replicas: this.#workers.snapshots(),
      queuedRequests: this.#queue.length,
      queuedRows: this.#queue.length,
      inFlightRows: this.#inFlight,
      // More workers shorten only the wait for a worker.
      predictedDelayMs: this.#load >= BUSY ? this.#window.predictMs(this.#inSystem, now) : 0,
      arrivedRequests: this.#arrived,
      arrivedRows: this.#arrived,
      answered: this.#answered,
      answeredInTime: this.#answeredInTime,
      refused: { ...this.#refused },
      latencies:
        p50Ms === 0
          ? []
          : [
              {
                rows: 1,
                p50Ms,
                p99Ms: this.#window.quantile(0.99, now),
                runs: this.#answered,
              },
            ],
    };
  }

  scaleTo(count: number): void {
    if (this.#draining === undefined) this.#workers.scaleTo(count);
  }

  whenReady(): Promise<void> {
    if (this.#check !== undefined || this.#workers.wanted === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const ms = this.#options.startTimeoutMs;
      const message = `The composition was not ready after ${ms} ms.`;
      const timer = setTimeout(() => reject(new SkeinError('MODEL_START_TIMEOUT', message)), ms);
      const settled = (): void => clearTimeout(timer);
      this.#waiters.push({
        resolve: () => (settled(), resolve()),
        reject: (error) => (settled(), reject(error)),
      });
    });
  }

  drain(by: Instant = Infinity): Promise<void> {
    this.#draining ??= (async () => {
      if (this.#inSystem > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
      await this.#workers.close();
      const ended = new SkeinError('NO_REPLICA', 'The composition was removed.');
      for (const { reject } of this.#waiters.splice(0)) reject(ended);
    })();
    if (by < Infinity) {
      const timer = setTimeout(() => this.#cutOff(), Math.max(0, by - this.#options.clock.now()));
      void this.#draining.then(() => clearTimeout(timer));
    }
    return this.#draining;
  }

  /** The drain timeout has passed: fail the remaining requests; `drain` then ends the workers. */
  #cutOff(): void {
    const left: CompositionRun[] = [];
    for (let run = this.#queue.shift(); run !== undefined; run = this.#queue.shift())
      left.push(run);
    for (const slot of this.#workers.slots) {
      left.push(...slot.running.values());
      this.#inFlight -= slot.running.size;
      slot.running.clear();
    }
    for (const run of left) {
      run.cancelCalls();
      const message = `Request ${run.request.id} was not answered before the version had to end.`;
      this.#fail(run, new SkeinError('NODE_DRAINING', message));
    }
    this.#onEmpty?.();
  }

  get #inSystem(): number {
    return this.#queue.length + this.#inFlight;
  }

  // Admission.

  #refusal(request: TargetRequest): SkeinError | undefined {
    const now = this.#options.clock.now();
    const refusal = refusalOf(request, {
      now,
      open: this.#draining === undefined && this.#workers.wanted > 0,
      inSystem: this.#inSystem,
      predictedMs: this.#window.predictMs(this.#inSystem, now),
      queued: this.#queue.length,
      full: this.#queue.full(request.tenant, now),
    });
    if (refusal !== undefined) return refusal;
    try {
      // Before its first worker is ready, the signature of a composition is unknown.
      this.#check?.(request.inputs, request.outputs);
      return undefined;
    } catch (error) {
      return error as SkeinError;
    }
  }

  #refuse(request: TargetRequest, error: SkeinError): SkeinError {
    this.#refused[error.code] = (this.#refused[error.code] ?? 0) + 1;
    this.#options.observer.refused(request, error, this.#options.clock.now());
    return error;
  }

  // The queue.

  #pump(): void {
    for (;;) {
      const { first } = this.#queue;
      if (first === undefined) break;
      const slot = this.#workers.idlest(PER_WORKER, first.losses > 0);
      if (slot === undefined) return;
      this.#start(this.#queue.shift()!, slot);
    }
    if (this.#inSystem === 0) this.#onEmpty?.();
  }

  #start(run: CompositionRun, slot: Slot): void {
    const now = this.#options.clock.now();
    run.startedAt = now;
    this.#inFlight++;
    slot.running.set(run.id, run);
    slot.runs++;
    void this.#runIn(slot, run, now);
  }

  async #runIn(slot: Slot, run: CompositionRun, now: Instant): Promise<void> {
    const { request } = run;
    const { tensors: inputs, transfer } = pack(request.inputs, true);
    const deadlineEpochMs = performance.timeOrigin + performance.now() + (request.deadline - now);
    const message = { run: run.id, deadlineEpochMs, inputs };
    try {
      const { signal } = run.givenUp;
      const outputs = unpack(await slot.host.run(message, { transfer, signal }));
      if (this.#leave(slot, run.id) !== undefined && !run.settled) this.#succeed(run, outputs);
    } catch (thrown) {
      // `#lost` decides what becomes of its runs.
      if (thrown instanceof WorkerLost) return;
      if (this.#leave(slot, run.id) !== undefined && !run.settled) {
        const error = this.#errorOf(run, thrown);
        // A callee could not have answered in time, so this composition could not either.
        if (error.row.kind === 'load') this.#noteUnfinished(run, request.deadline);
        this.#fail(run, error);
      }
    }
    this.#pump();
  }

  /** Removes a run from its worker. @returns undefined if it is not there any more. */
  #leave(slot: Slot, id: number): CompositionRun | undefined {
    const run = slot.running.get(id);
    if (run === undefined) return undefined;
    slot.running.delete(id);
    this.#inFlight--;
    this.#workers.release(slot);
    return run;
  }

  // How a run ends.

  #succeed(run: CompositionRun, outputs: Map<string, Tensor>): void {
    const now = this.#options.clock.now();
    const { request } = run;
    if (request.outputs !== undefined) {
      for (const name of outputs.keys()) if (!request.outputs.includes(name)) outputs.delete(name);
    }
    this.#window.add(now - run.enteredAt, run.concurrency, now);
    this.#answered++;
    if (now <= request.deadline) this.#answeredInTime++;
    const answer: InferenceAnswer = {
      version: this.version,
      outputs,
      times: {
        queueMs: run.startedAt - run.enteredAt,
        computeMs: now - run.startedAt,
        batchRows: 1,
      },
      cached: false,
    };
    this.#options.observer.answered(request, answer, now);
    run.succeed(answer);
  }

  /** @param until when it had not ended, or would not have. */
  #noteUnfinished(run: CompositionRun, until: Instant): void {
    this.#window.addUnfinished(until - run.enteredAt, run.concurrency, this.#options.clock.now());
  }

  #fail(run: CompositionRun, error: SkeinError): void {
    if (run.settled) return;
    this.#refuse(run.request, error);
    run.fail(error);
  }

  #errorOf({ request }: CompositionRun, thrown: unknown): SkeinError {
    if (thrown instanceof SkeinError) return thrown;
    const { deployment, log } = this.#options;
    log('A composition failed.', {
      deployment,
      version: this.version,
      request: request.id,
      error: thrown instanceof Error ? thrown.stack : thrown,
    });
    return new SkeinError(
      'INTERNAL',
      `Composition "${deployment}" failed on request ${request.id}.`,
    );
  }

  /** The deadline has passed or the client has disconnected. */
  #giveUp(run: CompositionRun, code: 'DEADLINE_EXCEEDED' | 'CANCELLED', message: string): void {
    if (!this.#queue.remove(run)) run.givenUp.abort();
    if (code === 'DEADLINE_EXCEEDED') this.#noteUnfinished(run, this.#options.clock.now());
    this.#fail(run, new SkeinError(code, message));
    this.#pump();
  }

  #lost(slot: Slot, reason: string): void {
    const { deployment, log } = this.#options;
    log('A composition worker ended.', { deployment, version: this.version, error: reason });
    const runs = [...slot.running.values()];
    slot.running.clear();
    this.#inFlight -= runs.length;
    for (const run of runs) {
      if (run.settled) continue;
      run.cancelCalls();
      if (++run.losses === 1) this.#queue.push(run, this.#options.clock.now());
      else {
        this.#fail(
          run,
          new SkeinError('REPLICA_LOST', 'The composition ended twice while it ran the request.'),
        );
      }
    }
    this.#pump();
  }
}
