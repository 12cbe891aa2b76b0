/**
 * A worker: claims jobs that fit, runs them elsewhere (sandboxes, threads), and reports how they
 * ended. This process is the supervisor. It never runs work itself, so that work never delays the
 * beat that renews the leases; and every process that it has started dies with it.
 *
 *   claim loop ──► attempt ──► report          beat: renew leases, receive cancel and preempt
 *        ▲  capacity taken …  given back       clock: tick the store
 */
import { randomBytes } from 'node:crypto';
import { untilAborted } from '@skein/api/waits';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHoldings } from '../artifact-holdings.ts';
import type { Claim } from '../contract.ts';
import { openEngines } from '@skein/data';
import { openCopies } from '../map/remote/copies.ts';
import { FUNCTION_MODULE, FUNCTION_TASK } from '../map/function/task-name.ts';
import { MAP_TASKS } from '../map/map-run.ts';
import { LOG_BYTES } from '../store/bounds.ts';
import { whenReachable } from '../store/when-reachable.ts';
import { namesOfTasks } from '../tasks/task-thread.ts';
import { reportOutcome, runAttempt, type WorkerContext } from './attempt/attempt.ts';
import { createCapacity, takenBy } from './capacity.ts';
import { startClock } from './clock.ts';
import type { RunningAttempt, SandboxOffer, Worker, WorkerOptions } from './contract.ts';
import { freePort } from './free-port.ts';
import { HERE, labelsOf, MAP_LABEL } from './labels.ts';
import { keepLeases, type Lease } from './lease.ts';
import { isOutage } from './persist.ts';
import { openScratch } from './scratch.ts';

export const WORKER_DEFAULTS = {
  leaseMs: 30_000,
  graceMs: 10_000,
  // Leaves space for the notice that the rest is missing.
  maxLogBytes: LOG_BYTES - 1024,
};

/** Most claims of one call. */
const MAX_CLAIMS = 16;
/** The longest wait for work; bounds the delay of a missed notification. */
const WAIT_MS = 2000;
const AFTER_AN_OUTAGE_MS = 500;
const AWAY = 'The store of jobs does not answer; the worker waits for it.';
/**
 * A store drops a worker that was silent for long, so the worker registers again from time to
 * time.
 */
const REGISTER_EVERY_MS = 60_000;

interface Running {
  readonly claim: Claim;
  readonly lease: Lease;
  phase: RunningAttempt['phase'];
  done: Promise<void>;
}

/**
 * Starts to claim and run work, until it is drained. Waits for a store that is away.
 * @throws the reason of `ending`; Error for a module of `taskModules` that cannot be loaded.
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { store, artifacts, queues, log } = options;
  const { leaseMs = WORKER_DEFAULTS.leaseMs, graceMs = WORKER_DEFAULTS.graceMs } = options;
  const { trusts = true, host = '127.0.0.1', taskModules = [] } = options;
  const id = options.name ?? `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;

  const sandboxes: SandboxOffer[] = await Promise.all(
    options.sandboxes.map(async (driver) => ({
      name: driver.name,
      takesImage: (image: string) => driver.takesImage(image),
      availability: await driver.availability(),
    })),
  );
  const given = new Map<string, string>();
  for (const path of taskModules) {
    for (const task of await namesOfTasks(path)) given.set(task, path);
  }
  const own = [...(options.labels ?? []), ...(trusts ? [MAP_LABEL, HERE] : [])];
  const labels = await labelsOf(own, sandboxes, [...given.keys()]);
  const capacity = createCapacity(options.capacity);
  const registration = {
    worker: id,
    host: hostname(),
    queues,
    labels,
    total: capacity.total,
    startedAt: Date.now(),
  };
  await whenReachable(() => store.registerWorker({ ...registration, mode: 'open' }), {
    ending: options.ending,
    onAway: (reason) => log('warn', AWAY, { worker: id, reason }),
  });
  let registeredAt = performance.now();
  const folder = await openScratch();
  const engines = openEngines();
  const copies = openCopies({ folder: join(folder, 'remote') });
  const leases = await keepLeases({
    store,
    worker: id,
    leaseMs,
    now: () => performance.now(),
    log,
  });
  const clock = startClock(store, log);

  const running = new Map<number, Running>();
  const draining = new AbortController();
  const closing = new AbortController();
  /** Replaced whenever capacity was given back. */
  let freed = new AbortController();
  const context: WorkerContext = {
    store,
    holdings: options.holdings ?? createHoldings({ store, artifacts }),
    drivers: options.sandboxes,
    sandboxes,
    trusts,
    offeredTasks: trusts ? new Map([...given, [FUNCTION_TASK, FUNCTION_MODULE]]) : given,
    builtins: trusts ? MAP_TASKS : new Map(),
    engines,
    copies,
    graceMs,
    maxLogBytes: options.maxLogBytes ?? WORKER_DEFAULTS.maxLogBytes,
    folder,
    log,
    closing: closing.signal,
  };

  function start(claim: Claim, claimedAt: number): void {
    const { readyAt, startedAt } = claim.job;
    // Both by the store's clock.
    if (readyAt !== undefined && startedAt !== undefined) options.onPickup?.(startedAt - readyAt);
    const lease = leases.hold(claim.token, claimedAt);
    const giveBack = capacity.take(takenBy(claim.job));
    const attempt: Running = { claim, lease, phase: 'working', done: Promise.resolve() };
    const run = async (): Promise<void> => {
      const ended = await runAttempt(claim, lease, context);
      giveBack();
      freed.abort();
      attempt.phase = 'reporting';
      await reportOutcome(claim, ended, context);
      lease.release();
      running.delete(claim.token);
    };
    running.set(claim.token, attempt);
    attempt.done = run();
  }

  async function claimWork(): Promise<void> {
    let port = await freePort(host);
    while (!draining.signal.aborted) {
      freed = new AbortController();
      const wake = AbortSignal.any([draining.signal, freed.signal]);
      try {
        const free = capacity.free();
        if (free.cores === 0 || free.memoryBytes === 0) {
          await untilAborted(wake);
          continue;
        }
        const claimedAt = performance.now();
        if (claimedAt - registeredAt > REGISTER_EVERY_MS) {
          await store.registerWorker({ ...registration, mode: 'open' });
          registeredAt = claimedAt;
        }
        const claims = await store.claim({
          worker: id,
          queues,
          free,
          labels,
          address: { host, port },
          max: MAX_CLAIMS,
          leaseMs,
        });
        for (const claim of claims) start(claim, claimedAt);
        if (claims.some(({ job }) => job.gang !== undefined)) port = await freePort(host);
        if (claims.length === 0) await store.waitForWork(queues, WAIT_MS, wake, id);
      } catch (error) {
        if (draining.signal.aborted) break;
        if (!isOutage(error)) log('error', 'Claiming failed.', { err: error });
        await sleep(AFTER_AN_OUTAGE_MS, undefined, { signal: draining.signal }).catch(
          () => undefined,
        );
      }
    }
  }

  const claiming = claimWork();
  log('info', 'Worker is open.', { worker: id, queues, labels, ...capacity.total });

  async function drain(withinMs: number, stoppingMs: number): Promise<void> {
    draining.abort();
    await claiming;
    log('info', 'Worker is draining.', { worker: id, running: running.size });
    await store.registerWorker({ ...registration, mode: 'draining' }).catch(() => undefined);
    await settled(withinMs);
    for (const { lease } of running.values()) lease.preempt();
    // An attempt that does not stop is killed after its own grace period.
    await settled(stoppingMs);
    closing.abort();
    await Promise.all([...running.values()].map(({ done }) => done));
    await engines[Symbol.asyncDispose]();
    await clock.stop();
    await leases.close();
    await store.removeWorker(id).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
    log('info', 'Worker has stopped.', { worker: id });
  }

  async function settled(withinMs: number): Promise<void> {
    const late = new AbortController();
    const all = Promise.all([...running.values()].map(({ done }) => done));
    const waiting = sleep(withinMs, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([all, waiting]);
    late.abort();
  }

  let drained: Promise<void> | undefined;
  return {
    id,
    queues,
    labels,
    capacity: capacity.total,
    sandboxes,
    running: () => [...running.values()].map(shown),
    drain(withinMs = graceMs, stoppingMs = 2 * graceMs + leaseMs) {
      drained ??= drain(withinMs, stoppingMs);
      return drained;
    },
  };
}

function shown({ claim: { job, attempt, token }, phase }: Running): RunningAttempt {
  return { job: job.id, name: job.name, attempt, token, phase };
}
