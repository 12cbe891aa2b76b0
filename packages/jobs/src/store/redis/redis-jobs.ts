/**
 * The fleet's backend of `JobStore`: a Redis with its append-only file on.
 *
 * Every transition is one server-side script, so it is atomic; all keys share one hash tag, so it
 * works in a cluster; time is the server's, so no worker's clock decides about a lease. With
 * `appendfsync always` an acknowledged transition survives `kill -9` of Redis and a power cut; with
 * `everysec`, which Redis has by default, `kill -9` loses nothing either, and a power cut about a
 * second.
 */
import { randomUUID } from 'node:crypto';
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import { connect } from '@skein/state/redis';
import type { Claim, Job, JobState, JobStore, LeaseNotification, Outcome } from '../../contract.ts';
import type { JobStoreOptions } from '../open-store.ts';
import { checkSpecs, checkTenant } from '../check-specs.ts';
import { nextTime } from '../cron.ts';
import { millicores } from '../lane.ts';
import { listenersOf } from '../listeners.ts';
import { wakes } from '../wake.ts';
import { type Argument, jobCalls } from './calls.ts';
import { eventStream } from './event-stream.ts';
import { gather } from './gather.ts';
import { jobOf, readyJob, type JobView, type ReadyView } from './job-view.ts';
import { heldBytes, listings } from './listings.ts';
import { fireDue } from './schedule-due.ts';
import { specArguments } from './spec-arguments.ts';
import { JOB_FUNCTIONS, type ScriptName } from './scripts.ts';

export interface RedisJobsOptions {
  /** Stores of different namespaces share a Redis without seeing each other. */
  readonly namespace: string;
  /** For tests: ms since the epoch. */
  readonly clock?: () => number;
  /** Whether to open it while the server is away: calls then fail until it answers. */
  readonly mayBeAway?: boolean | undefined;
  readonly cursor?: JobStoreOptions['cursor'];
}

/** @throws SkeinError STORE_UNREACHABLE. */
export async function openRedisJobs(
  url: string,
  { namespace, clock, mayBeAway = false, cursor }: RedisJobsOptions,
): Promise<JobStore> {
  const prefix = `skein:{${namespace}}:`;
  const connection = connect(url, prefix, JOB_FUNCTIONS);
  const wake = wakes();
  const leaseListeners = listenersOf<LeaseNotification>();
  const events = eventStream(connection, `${prefix}events`);
  /** The ids of the jobs whose tokens this process holds. */
  const claimed = new Map<number, string>();

  const calls = jobCalls(connection, clock, cursor);
  const { run } = calls;
  const runJob = async (
    name: ScriptName,
    ...args: readonly Argument[]
  ): Promise<Job | undefined> => {
    const found = (await run(name, ...args)) as JobView | 0;
    return found === 0 ? undefined : jobOf(found);
  };

  const finishOne = gather(
    async (ended: readonly { token: number; outcome: Outcome }[]) =>
      (await calls.runAgain('finish', (again) =>
        ended.flatMap(({ token, outcome }) => [
          ...outcomeArguments(token, outcome),
          again ? (claimed.get(token) ?? '') : '',
        ]),
      )) as (JobState | 0)[],
  );

  const subscriber = connection.another();
  subscriber.on('message', (channel: string, message: string) => {
    if (channel === `${prefix}work`) {
      wake.notify(message);
      return;
    }
    const [, token, state, worker] = /^(\d+) (\w+) (.*)$/s.exec(message) ?? [];
    leaseListeners.notify(worker ?? '', {
      token: Number(token),
      state: state as LeaseNotification['state'],
    });
  });
  const subscribe = () => subscriber.subscribe(`${prefix}work`, `${prefix}news`);
  // Notifications that were published while the connection was lost are missed. A connection that
  // fails is lost again.
  subscriber.on('ready', () => {
    subscribe().then(
      () => wake.notifyAll(),
      () => undefined,
    );
  });

  // Otherwise it subscribes as soon as there is a connection.
  if (!mayBeAway) {
    try {
      await run('now');
      await subscribe();
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  const lastLook = { at: Infinity };
  return {
    ...listings(run),

    async enqueue(specs, quota) {
      checkSpecs(specs);
      const now = clock?.() ?? Date.now();
      const jobs = specs.flatMap((spec) => specArguments(spec, now));
      const answer = (await calls.runAgain('enqueue', (again) => [
        specs.length,
        again ? 1 : 0,
        quota?.maxQueued ?? '',
        quota?.jobsPerSecond ?? '',
        ...jobs,
      ])) as (JobView | ReadyView)[] | Refusal;
      throwRefusal(answer);
      return (answer as (JobView | ReadyView)[]).map((view, index) => {
        const spec = specs[index];
        return typeof view === 'string' && spec ? readyJob(view, spec) : jobOf(view as JobView);
      });
    },

    async claim(offer) {
      wake.beforeClaim(offer.worker, offer.queues);
      const call = randomUUID();
      const found = (await run(
        'claim',
        offer.worker,
        offer.leaseMs,
        millicores(offer.free.cores),
        offer.free.memoryBytes,
        offer.max,
        offer.address?.host ?? '',
        offer.address?.port ?? '',
        call,
        offer.queues.length,
        ...offer.queues,
        ...offer.labels,
      )) as [token: string, attempt: number, host: string, port: string, job: JobView][];
      return found.map(([token, attempt, host, port, view]): Claim => {
        const job = jobOf(view);
        claimed.set(Number(token), job.id);
        return {
          job,
          token: Number(token),
          attempt,
          ...(host === '' ? {} : { master: { host, port: Number(port) } }),
        };
      });
    },

    waitForWork: (queues, waitMs, signal, worker) => wake.wait(worker, queues, waitMs, signal),

    async renew(worker, tokens, leaseMs) {
      const states = (await run(
        'renew',
        worker,
        leaseMs,
        ...tokens,
      )) as LeaseNotification['state'][];
      return tokens.map((token, index) => {
        const state = states[index] ?? 'lost';
        if (state === 'lost') claimed.delete(token);
        return { token, state };
      });
    },

    async onLeaseNotification(worker, listener) {
      const stop = leaseListeners.on(worker, listener);
      return async () => stop();
    },

    async progress(token, fraction, message) {
      const progress = { fraction: Math.min(1, Math.max(0, fraction)), message };
      return (await run('progress', token, JSON.stringify(progress))) === 1;
    },

    async appendLog(token, offset, chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const answer = await run('append-log', token, offset, bytes);
      if (Array.isArray(answer)) {
        throw new SkeinError(
          'REQUEST_INVALID',
          `A chunk of the log of job ${String(answer[1])} begins at ${offset}, and ${String(answer[2])} bytes are there.`,
        );
      }
      return answer === 1;
    },

    saveCheckpoint: async (token, digest) => (await run('save-checkpoint', token, digest)) === 1,

    async finish(token, outcome) {
      const state = await finishOne({ token, outcome });
      claimed.delete(token);
      return state === 0 ? undefined : state;
    },

    cancel: (id, reason) => runJob('cancel', id, reason),
    preempt: (id) => runJob('preempt', id),
    revive: (id) => runJob('revive', id),
    remove: (id) => runJob('remove', id),

    async setQueueMode(queue, mode) {
      await run('set-queue-mode', queue, mode);
    },

    async putTenant(settings) {
      checkTenant(settings);
      const { tenant, weight, maxRunning = '', maxQueued = '', jobsPerSecond = '' } = settings;
      await run('put-tenant', tenant, weight, maxRunning, maxQueued, jobsPerSecond);
    },

    holdArtifact: async (tenant, digest, sizeBytes) =>
      (await run('hold-artifact', tenant, digest, sizeBytes)) === 1,
    lackedArtifacts: async (tenant, digests) =>
      (await run('lacked-artifacts', tenant, ...digests)) as string[],
    dropArtifact: async (digest) => heldBytes((await run('drop-artifact', digest)) as string[]),

    async putSchedule(schedule) {
      checkSpecs([schedule.spec]);
      const nextAt = nextTime(schedule, Number(await run('now')));
      const kept = await run(
        'put-schedule',
        schedule.id,
        JSON.stringify(schedule),
        nextAt,
        schedule.paused ? 1 : 0,
      );
      return { ...schedule, nextAt: Number(kept) };
    },
    removeSchedule: async (id) => (await run('remove-schedule', id)) === 1,
    async tick() {
      await fireDue(run, lastLook);
      return Number(await run('tick'));
    },

    async registerWorker(worker) {
      await run(
        'register-worker',
        worker.worker,
        JSON.stringify(worker),
        millicores(worker.total.cores),
        worker.total.memoryBytes,
        worker.mode,
      );
    },
    async removeWorker(worker) {
      wake.remove(worker);
      await run('remove-worker', worker);
    },
    job: (id) => runJob('job', id),

    async log(id, attempt, offset, maxBytes) {
      const [chunk, size, ended] = (await calls.runBytes('log', id, attempt, offset, maxBytes)) as [
        Buffer,
        number,
        number,
      ];
      return { chunk, size, ended: ended === 1 };
    },

    events: (filter, signal) => events.read(filter, signal),
    now: async () => Number(await run('now')),

    async close() {
      events.close();
      await connection.close();
      wake.notifyAll();
    },
  };
}

type Refusal = ['refused', code: ErrorCode, message: string, retryAfterMs: number];

function throwRefusal(answer: unknown): void {
  if (!Array.isArray(answer) || answer[0] !== 'refused') return;
  const [, code, message, retryAfterMs] = answer as Refusal;
  throw new SkeinError(code, message, retryAfterMs > 0 ? { retryAfterMs } : {});
}

function outcomeArguments(token: number, outcome: Outcome): Argument[] {
  const usage = outcome.usage === undefined ? '' : JSON.stringify(outcome.usage);
  return outcome.kind === 'succeeded'
    ? [token, 'succeeded', JSON.stringify(outcome.result), 0, usage]
    : [token, outcome.cause, outcome.message, outcome.retryable ? 1 : 0, usage];
}
