/**
 * One session of the version in one worker.
 *
 *   loading ──▶ warming ──▶ ready ──▶ draining ──▶ gone
 *      └───────────┴──────────┴───────────────────▲   load or warm-up failed, or the worker died
 *
 * Only a ready replica takes runs, one at a time. A draining one finishes the run that it has; one
 * that is still loading is ended as soon as that can be done.
 */
import { RuntimeFailure, type RunResult, type Session } from '@skein/runtime';
import type { TensorMap } from '@skein/onnx';
import type { Clock, Instant, ReplicaSnapshot } from '../contract.ts';
import type { Server } from './servers.ts';

const CLOSING_MS = 5_000;

export interface ReplicaOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly open: () => Promise<Session>;
  readonly warm: (session: Session) => Promise<void>;
  /** Whether a session may be closed while it runs. A thread in native code takes the process along. */
  readonly closesMidRun: boolean;
  /** Called after every change of state. */
  readonly onChange: (replica: Replica, before: ReplicaSnapshot['state'] | undefined) => void;
}

export class Replica implements Server {
  readonly id: string;
  state: ReplicaSnapshot['state'] = 'loading';
  since: Instant;
  /** Runs that have given a result. */
  runs = 0;
  /** Runs that have begun. */
  begun = 0;
  /** Why it is gone, when that was not asked for. */
  failure: RuntimeFailure | undefined;
  readyAt: Instant = Infinity;
  /** From the start until it was ready, in milliseconds. */
  startedInMs = 0;

  rows = 0;
  startedAt: Instant;
  freeAt: Instant;
  freeBy: Instant;
  idleSince: Instant;

  readonly #options: ReplicaOptions;
  readonly #ended = Promise.withResolvers<void>();
  #session: Session | undefined;
  #run: Promise<unknown> | undefined;

  constructor(options: ReplicaOptions) {
    const now = options.clock.now();
    this.id = options.id;
    this.#options = options;
    this.since = now;
    this.startedAt = now;
    this.freeAt = now;
    this.freeBy = now;
    this.idleSince = now;
  }

  /** Loads and warms; never rejects. The outcome is told by `onChange`. */
  async start(): Promise<void> {
    const { open, warm, clock, onChange } = this.#options;
    onChange(this, undefined);
    const startedAt = clock.now();
    try {
      const session = await open();
      this.#session = session;
      if (this.#isEnding()) return this.#close();
      void session.lost.then((failure) => this.lose(failure));
      this.#enter('warming');
      await warm(session);
      if (this.#isEnding()) return this.#close();
      this.startedInMs = clock.now() - startedAt;
      this.readyAt = clock.now();
      this.idleSince = this.readyAt;
      this.#enter('ready');
    } catch (error) {
      this.lose(toFailure(error));
    }
  }

  /** @throws RuntimeFailure as the session does. */
  run(feeds: TensorMap, outputs: readonly string[] | undefined): Promise<RunResult> {
    this.begun++;
    const run = this.#session!.run(feeds, outputs);
    this.#run = run;
    return run;
  }

  /** Looks for the result of a run that should have ended. */
  poll(): void {
    this.#session?.poll?.();
  }

  /** Takes no new runs; ends when it is idle. */
  drain(): void {
    if (this.#isEnding()) return;
    const idle = this.rows === 0 && this.state === 'ready';
    this.#enter('draining');
    if (idle) this.#close();
  }

  /** To be called after a run has ended. */
  settle(): void {
    if (this.state === 'draining' && this.rows === 0) this.#close();
  }

  /** The session has ended by itself, or never came up. */
  lose(failure: RuntimeFailure): void {
    if (this.state === 'gone') return;
    if (this.state !== 'draining') this.failure = failure;
    this.#close();
  }

  snapshot(): ReplicaSnapshot {
    return {
      id: this.id,
      state: this.state,
      busy: this.rows > 0,
      since: this.since,
      runs: this.runs,
      failure: this.failure?.message,
    };
  }

  /** Resolves when it is gone and its worker has ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  #isEnding(): boolean {
    return this.state === 'draining' || this.state === 'gone';
  }

  #close(): void {
    if (this.state === 'gone') return;
    this.#enter('gone');
    const close = (): Promise<void> | undefined => this.#session?.close();
    const closed = this.#options.closesMidRun
      ? Promise.resolve(close())
      : Promise.resolve(this.#run).then(close, close);
    // A worker that cannot be ended, because native code does not return, is left behind.
    const timer = setTimeout(this.#ended.resolve, CLOSING_MS);
    timer.unref();
    const end = (): void => {
      clearTimeout(timer);
      this.#ended.resolve();
    };
    closed.then(end, end);
  }

  #enter(state: ReplicaSnapshot['state']): void {
    const before = this.state;
    if (before === state) return;
    this.state = state;
    this.since = this.#options.clock.now();
    this.#options.onChange(this, before);
  }
}

function toFailure(error: unknown): RuntimeFailure {
  if (error instanceof RuntimeFailure) return error;
  return new RuntimeFailure('load', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}
