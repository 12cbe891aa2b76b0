/**
 * One session of the version in one worker.
 *
 *   loading ──▶ warming ──▶ ready ──▶ draining ──▶ gone
 *      └───────────┴──────────┴───────────────────▲   load or warm-up failed or took too long, or the worker died
 *
 * Only a ready replica accepts runs, one at a time. A draining one finishes its run; one that is
 * still starting is abandoned at once. Native code is never awaited without a timeout: a child
 * process is killed, and a thread that does not return is abandoned.
 */
import {
  RuntimeFailure,
  type InlineSession,
  type PreparedRun,
  type RunResult,
  type Session,
} from '@skein/runtime';
import type { TensorMap } from '@skein/onnx';
import type { Clock, Instant, ReplicaSnapshot } from '../../contract.ts';
import type { Server } from '../queue/servers.ts';
import { replicaTuning } from '../replica-tuning.ts';
import { unlessAborted } from '@skein/api/waits';

export interface ReplicaOptions {
  readonly id: string;
  readonly clock: Clock;
  /** A child process may be closed while it runs. Terminating a thread in native code ends the process. */
  readonly isolation: 'thread' | 'process';
  /** Runs before it is loaded, with its own timeout: see `trial.ts`. */
  readonly prove?: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly open: (signal: AbortSignal) => Promise<Session>;
  readonly warm: (session: Session) => Promise<void>;
  /** Timeout for loading and warming. */
  readonly startTimeoutMs: number;
  /** Called after every change of state. */
  readonly onChange: (replica: Replica, before: ReplicaSnapshot['state'] | undefined) => void;
}

export class Replica implements Server {
  readonly id: string;
  state: ReplicaSnapshot['state'] = 'loading';
  since: Instant;
  /** Runs that have returned a result. */
  runs = 0;
  /** Runs that were started. */
  begun = 0;
  /** Why it ended, unless that was requested. */
  failure: RuntimeFailure | undefined;
  readyAt: Instant = Infinity;
  /** Time from the start until it was ready, in milliseconds. */
  startedInMs = 0;

  rows = 0;
  startedAt: Instant;
  freeAt: Instant;
  freeBy: Instant;
  idleSince: Instant;
  isProbe = false;

  readonly #options: ReplicaOptions;
  /** When the current run times out. */
  timesOutAt: Instant = Infinity;

  readonly #ended = Promise.withResolvers<void>();
  readonly #giveUp = new AbortController();
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

  /** Loads and warms; never rejects. `onChange` reports the outcome. */
  async start(): Promise<void> {
    const { prove, clock, onChange, startTimeoutMs } = this.#options;
    onChange(this, undefined);
    try {
      if (prove !== undefined) await this.#within(startTimeoutMs, prove, 'tried');
      if (this.#isEnding()) return this.#close();
      const startedAt = clock.now();
      await this.#within(startTimeoutMs, (signal) => this.#load(signal));
      if (this.#isEnding()) return this.#close();
      this.startedInMs = clock.now() - startedAt;
      this.readyAt = clock.now();
      this.idleSince = this.readyAt;
      this.#enter('ready');
    } catch (error) {
      this.lose(toFailure(error));
    }
  }

  async #load(signal: AbortSignal): Promise<void> {
    const { open, warm } = this.#options;
    const session = await open(signal);
    // It became ready after it was abandoned.
    if (signal.aborted) return void session.close();
    this.#session = session;
    void session.lost.then((failure) => this.lose(failure));
    this.#enter('warming');
    this.#run = warm(session);
    await this.#run;
  }

  /** Settles as the work does; rejects if it takes too long, or if the replica is not wanted any more. */
  async #within(
    ms: number,
    work: (signal: AbortSignal) => Promise<void>,
    tried?: 'tried',
  ): Promise<void> {
    const late = setTimeout(
      () => this.#giveUp.abort(new StartTimeout(tried ?? this.state, ms)),
      ms,
    );
    const { signal } = this.#giveUp;
    try {
      await unlessAborted(work(signal), signal);
    } finally {
      clearTimeout(late);
    }
  }

  /**
   * @param inline runs it in place of the replica's own session.
   * @throws RuntimeFailure as the session does.
   */
  run(
    feeds: TensorMap,
    outputs: readonly string[] | undefined,
    inline?: InlineSession,
  ): Promise<RunResult> {
    const run =
      inline === undefined ? this.#session!.run(feeds, outputs) : runInline(inline, feeds, outputs);
    this.begin(run);
    return run;
  }

  /** Prepares the run after the current one: see `Session.prepare`. */
  prepare(feeds: TensorMap): PreparedRun | undefined {
    return this.#session!.prepare?.(feeds);
  }

  /** A prepared run has begun. */
  begin(run: Promise<unknown>): void {
    this.begun++;
    this.#run = run;
  }

  /** Polls for the result of a run that should have ended. */
  poll(): void {
    this.#session?.poll?.();
  }

  /** Accepts no new runs; ends when it is idle. */
  drain(): void {
    if (this.#isEnding()) return;
    const { rows, state } = this;
    this.#enter('draining');
    if (state !== 'ready')
      this.#giveUp.abort(new RuntimeFailure('lost', 'It is no longer needed.'));
    else if (rows === 0) this.#close();
  }

  /** To be called after a run has ended. */
  settle(): void {
    if (this.state === 'draining' && this.rows === 0) this.#close();
  }

  /** The session has ended without a request to, or never started. */
  lose(failure: RuntimeFailure): void {
    if (this.state === 'gone') return;
    if (this.state !== 'draining') this.failure = failure;
    this.#close();
  }

  get isolation(): 'thread' | 'process' {
    return this.#options.isolation;
  }

  snapshot(): ReplicaSnapshot {
    return {
      id: this.id,
      isolation: this.isolation,
      state: this.state,
      busy: this.rows > 0,
      since: this.since,
      runs: this.runs,
      memoryBytes: this.#session?.memoryBytes,
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
    const closed =
      this.isolation === 'process'
        ? Promise.resolve(close())
        : Promise.resolve(this.#run).then(close, close);
    // A worker that cannot be ended, because native code does not return, is abandoned.
    const timer = setTimeout(this.#ended.resolve, replicaTuning.closingMs);
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

/** Rejects where the session throws. */
async function runInline(
  session: InlineSession,
  feeds: TensorMap,
  outputs: readonly string[] | undefined,
): Promise<RunResult> {
  return session.run(feeds, outputs);
}

/** It was not ready within its start timeout. */
export class StartTimeout extends RuntimeFailure {
  constructor(state: ReplicaSnapshot['state'] | 'tried', ms: number) {
    super('load', `${UNFINISHED[state] ?? 'It was loading'} after ${ms} ms.`);
  }
}

const UNFINISHED: Partial<Record<string, string>> = {
  tried: 'In its trial process, it had not loaded and answered synthetic requests',
  warming: 'It had not answered a synthetic request',
};

export class RunTimeout extends RuntimeFailure {
  constructor(ms: number) {
    super('lost', `A run has not ended after ${(ms / 1000).toFixed(1)} s.`);
  }
}

function toFailure(error: unknown): RuntimeFailure {
  if (error instanceof RuntimeFailure) return error;
  return new RuntimeFailure('load', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}
