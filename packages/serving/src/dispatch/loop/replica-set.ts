/**
 * Keeps the wanted number of replicas: starts missing ones, drains surplus ones, and replaces lost
 * ones.
 *
 * A replacement starts at once, and later ones after growing pauses. A version whose replicas keep
 * ending without serving is failed: it retries once a minute and reports the reason until then. A
 * replica that loaded, warmed and was lost in a run does not count as such a failure: requests that
 * end every replica must not make the version fail for other requests. A version that has never
 * loaded fails at the first attempt.
 */
import { SkeinError, type ErrorCode } from '@skein/api';
import type { RuntimeFailure, Session } from '@skein/runtime';
import type { Instant, ReplicaSnapshot } from '../../contract.ts';
import { Replica, RunTimeout, StartTimeout, type ReplicaOptions } from './replica.ts';
import { replicaTuning } from '../replica-tuning.ts';

export interface ReplicaSetOptions extends Pick<
  ReplicaOptions,
  'clock' | 'prove' | 'warm' | 'startTimeoutMs' | 'onChange'
> {
  readonly open: (signal: AbortSignal, isolation: 'thread' | 'process') => Promise<Session>;
  /** Isolation of a replica that is started now. */
  readonly isolation: () => 'thread' | 'process';
  /** Name for messages. */
  readonly version: string;
}

export class ReplicaSet {
  wanted = 0;
  /** Why no replica starts any more. */
  failed: SkeinError | undefined;

  readonly #options: ReplicaSetOptions;
  readonly #live: Replica[] = [];
  readonly #lost: Replica[] = [];
  /** The end of every replica whose worker still exists. */
  readonly #ending = new Set<Promise<void>>();
  readonly #waiters: { resolve: () => void; reject: (error: SkeinError) => void }[] = [];
  #nextId = 1;
  /** Consecutive replicas that ended without serving. */
  #failures = 0;
  #everReady = false;
  #loadingMs = replicaTuning.loadingGuessMs;
  #pause: NodeJS.Timeout | undefined;
  #pauseEndsAt: Instant = 0;
  #watch: NodeJS.Timeout | undefined;
  #checkedAt: Instant = 0;
  #closed = false;

  constructor(options: ReplicaSetOptions) {
    this.#options = options;
  }

  /** Replicas that are loading, warming or ready. */
  get active(): number {
    let active = 0;
    for (const { state } of this.#live) if (state !== 'draining') active++;
    return active;
  }

  scaleTo(count: number): void {
    if (this.#closed) return;
    // A new request for replicas resets the failure count.
    if (this.wanted === 0 && count > 0) this.#resetFailures();
    this.wanted = count;
    if (count === 0) this.#stopWaiting(undefined);
    this.#adjust();
  }

  /**
   * Resolves when a replica is ready, at once if none is wanted.
   * @throws SkeinError MODEL_LOAD_FAILED, MODEL_START_TIMEOUT, MODEL_MEMORY, DEVICE_UNAVAILABLE.
   */
  whenReady(): Promise<void> {
    if (this.wanted === 0 || this.#live.some(({ state }) => state === 'ready')) {
      return Promise.resolve();
    }
    if (this.failed !== undefined) return Promise.reject(this.failed);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  /** When the next replica should be ready; undefined if none is starting. */
  expectedAt(): Instant | undefined {
    let expected: Instant | undefined;
    const consider = (at: Instant): void => {
      if (expected === undefined || at < expected) expected = at;
    };
    for (const { state, startedAt } of this.#live) {
      if (state === 'loading' || state === 'warming') consider(startedAt + this.#loadingMs);
    }
    if (this.#pause !== undefined && this.failed === undefined) {
      consider(this.#pauseEndsAt + this.#loadingMs);
    }
    return expected;
  }

  /** When a replica would be ready that a request wakes now; undefined: some are wanted already. */
  wokenAt(): Instant | undefined {
    if (this.wanted > 0 || this.#closed) return undefined;
    return this.#options.clock.now() + this.#loadingMs;
  }

  /** When a failed set retries. */
  get triesAgainAt(): Instant {
    return this.#pauseEndsAt;
  }

  snapshot(): ReplicaSnapshot[] {
    return [...this.#live, ...this.#lost].map((replica) => replica.snapshot());
  }

  /** Ends every replica, running or not. */
  async close(): Promise<void> {
    this.#closed = true;
    this.wanted = 0;
    clearTimeout(this.#pause);
    clearInterval(this.#watch);
    this.#pause = undefined;
    this.#stopWaiting(
      new SkeinError('NODE_DRAINING', `Version ${this.#options.version} is being removed.`),
    );
    for (const replica of this.#live.slice()) replica.drain();
    await Promise.all(this.#ending);
  }

  #adjust(): void {
    const missing = this.wanted - this.active;
    for (let i = missing; i < 0; i++) this.#leastUseful()?.drain();
    if (missing <= 0 || this.#pause !== undefined || this.#closed) return;
    // After failures they restart one by one, each when the previous one is ready.
    const starting = this.#failures === 0 ? missing : 1;
    for (let i = 0; i < starting; i++) this.#start();
  }

  #start(): void {
    const { clock, prove, open, warm, startTimeoutMs, version } = this.#options;
    const isolation = this.#options.isolation();
    const replica = new Replica({
      id: `${version}-${this.#nextId++}`,
      clock,
      isolation,
      prove: this.#everReady || isolation === 'process' ? undefined : prove,
      open: (signal) => open(signal, isolation),
      warm,
      startTimeoutMs,
      onChange: (changed, before) => this.#changed(changed, before),
    });
    this.#live.push(replica);
    if (this.#watch === undefined) {
      this.#checkedAt = clock.now();
      this.#watch = setInterval(() => this.#endStuck(), replicaTuning.watchEveryMs).unref();
    }
    const ended = replica.ended.then(() => void this.#ending.delete(ended));
    this.#ending.add(ended);
    void replica.start();
  }

  /** A model may loop for ever: its replica is ended, and replaced like a lost one. */
  #endStuck(): void {
    const now = this.#options.clock.now();
    const lateMs = now - this.#checkedAt - replicaTuning.watchEveryMs;
    this.#checkedAt = now;
    for (const replica of this.#live.slice()) {
      if (replica.rows === 0) continue;
      if (lateMs > replicaTuning.stallMs) replica.timesOutAt += lateMs;
      if (now < replica.timesOutAt) continue;
      replica.lose(new RunTimeout(now - replica.startedAt));
    }
  }

  /** One that is starting, otherwise an idle one, otherwise the newest. */
  #leastUseful(): Replica | undefined {
    const candidates = this.#live.filter(({ state }) => state !== 'draining');
    return (
      candidates.findLast(({ state }) => state !== 'ready') ??
      candidates.findLast(({ rows }) => rows === 0) ??
      candidates.at(-1)
    );
  }

  #changed(replica: Replica, before: ReplicaSnapshot['state'] | undefined): void {
    if (replica.state === 'ready') {
      this.#everReady = true;
      this.failed = undefined;
      this.#loadingMs = replica.startedInMs;
      this.#stopWaiting(undefined);
    }
    if (replica.state === 'gone') this.#remove(replica);
    this.#options.onChange(replica, before);
    if (replica.state === 'ready') this.#adjust();
    if (replica.failure !== undefined) this.#replace(replica, before, replica.failure);
  }

  #remove(replica: Replica): void {
    this.#live.splice(this.#live.indexOf(replica), 1);
    if (replica.failure === undefined) return;
    this.#lost.unshift(replica);
    this.#lost.length = Math.min(this.#lost.length, replicaTuning.rememberedLost);
  }

  #replace(
    replica: Replica,
    before: ReplicaSnapshot['state'] | undefined,
    failure: RuntimeFailure,
  ): void {
    const { clock, version } = this.#options;
    const served = before === 'ready' ? clock.now() - replica.readyAt : 0;
    const good = served >= replicaTuning.goodServiceMs || replica.runs > 0;
    const inRun = before === 'ready' && replica.begun > replica.runs;
    this.#failures = good ? 1 : this.#failures + 1;
    if (inRun) this.#failures = Math.min(this.#failures, replicaTuning.maxRunEnds);
    const neverLoaded = !this.#everReady && failure.kind !== 'lost';
    if (neverLoaded || this.#failures >= replicaTuning.maxAttempts) {
      const code = codeOf(failure);
      const tries = this.#failures === 1 ? '' : ` after ${this.#failures} attempts`;
      this.failed = new SkeinError(
        code,
        `Version ${version} does not stay up${tries}: ${failure.message}`,
        { cause: failure },
      );
      this.#stopWaiting(this.failed);
      this.#pauseFor(replicaTuning.failedPauseMs);
    } else if (this.#failures === 1) {
      this.#adjust();
    } else {
      this.#pauseFor(replicaTuning.firstPauseMs * 2 ** (this.#failures - 2));
    }
  }

  #pauseFor(ms: number): void {
    if (this.#closed || this.wanted === 0) return;
    clearTimeout(this.#pause);
    this.#pauseEndsAt = this.#options.clock.now() + ms;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#adjust();
    }, ms);
    this.#pause.unref();
  }

  #resetFailures(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#failures = 0;
    this.failed = undefined;
  }

  #stopWaiting(error: SkeinError | undefined): void {
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }
}

function codeOf(failure: RuntimeFailure): ErrorCode {
  if (failure instanceof StartTimeout) return 'MODEL_START_TIMEOUT';
  if (failure.kind === 'memory') return 'MODEL_MEMORY';
  return failure.kind === 'unavailable' ? 'DEVICE_UNAVAILABLE' : 'MODEL_LOAD_FAILED';
}
