/**
 * The jobs of a task: a job that a task enqueues belongs to the group and the tenant of the task's
 * job, and the task waits for it by the store's events. This side is the supervisor's; the task
 * sends requests as messages.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { NewJob, SkeinError, validate, type NewJobInput } from '@skein/api';
import { hasEnded, hasFailed } from '@skein/api/job-states';
import { unlessAborted } from '@skein/api/waits';
import { specOf } from '../admission.ts';
import type { Job, JobState, JobStore } from '../contract.ts';

/** A job as the task sees it. */
export type TaskJob = Pick<Job, 'id' | 'state' | 'cause' | 'message' | 'result'>;

export interface TaskJobs {
  /**
   * Enqueues jobs, all or none. An idempotency key belongs to the task's job: one that it has used, also in an earlier
   * attempt, returns the job that exists, with its result if it has ended.
   */
  readonly enqueue: (jobs: readonly NewJobInput[]) => Promise<readonly TaskJob[]>;
  /** Resolves with the jobs that have ended, as soon as there is one. */
  readonly waitForAny: (ids: readonly string[]) => Promise<readonly TaskJob[]>;
  /**
   * Revives jobs that ended without success. An attempt that follows one that was lost or preempted does not revive
   * what has failed since the task's job itself was last given up: those jobs have had the attempts that they may have.
   */
  readonly revive: (ids: readonly string[]) => Promise<void>;
  readonly cancel: (ids: readonly string[], reason: string) => Promise<void>;
}

/**
 * The idempotency key of a job that a task starts names the job of the task. Where that has a group of its own, all
 * that it starts have one: it distinguishes them from other jobs of the group.
 */
const keyOf = (own: Job, key: string): string => `${own.id}/${key}`;

/** @returns the id of the job that has started it, if a task has. */
export const starterOf = ({ idempotencyKey }: Job): string | undefined =>
  idempotencyKey?.split('/', 1)[0];

const PAGE = 500;
const AFTER_AN_OUTAGE_MS = 500;

/** @param signal ends the waiting. */
export function createTaskJobs(store: JobStore, own: Job, signal: AbortSignal): TaskJobs {
  const group = own.group ?? own.id;
  let watch: GroupWatch | undefined;
  return {
    async enqueue(jobs) {
      const now = await store.now();
      const submitter = { tenant: own.tenant, mayTrust: true };
      const specs = jobs.map((given) => {
        const job = validate(NewJob, given, 'job');
        const spec = specOf({ ...job, queue: given.queue ?? own.queue }, submitter, now);
        const key = job.idempotencyKey ?? (own.group === undefined ? undefined : randomUUID());
        return {
          ...spec,
          group,
          ...(key === undefined ? {} : { idempotencyKey: keyOf(own, key) }),
        };
      });
      const added = await store.enqueue(specs);
      // The end of a run cancels the jobs that it has by then; these may have come later.
      const state = (await store.job(own.id))?.state;
      if (state !== undefined && hasFailed(state)) {
        for (const { id } of added) await store.cancel(id, `its run ended as ${state}`);
      }
      return added.map(viewOf);
    },
    async waitForAny(ids) {
      watch ??= watchGroup(store, group, signal);
      const ended = await watch.endedOf(ids);
      const jobs = await Promise.all(ended.map((id) => store.job(id)));
      const gone = jobs.indexOf(undefined);
      if (gone >= 0) {
        const text = `Job ${ended[gone]} ended, and was removed before its result was read.`;
        throw new SkeinError('JOB_UNKNOWN', text);
      }
      return jobs.map((job) => viewOf(job!));
    },
    async revive(ids) {
      if (ids.length === 0) return;
      const before = await givenUpAt(store, own.id);
      for (const id of ids) {
        const job = await store.job(id);
        if (job?.state !== 'cancelled' && (job?.endedAt ?? 0) > before) continue;
        await store.revive(id);
        watch?.drop(id);
      }
    },
    async cancel(ids, reason) {
      for (const id of ids) await store.cancel(id, reason);
    },
  };
}

/** Ends of attempts that another one follows automatically. */
const FOLLOWED: ReadonlySet<unknown> = new Set(['lease-lost', 'preempted', 'gang-broken']);

/** When the job was last given up, before its present attempt; Infinity where that is how its last one ended. */
async function givenUpAt(store: JobStore, id: string): Promise<number> {
  const attempts = (await store.job(id))?.attempts.filter(({ endedAt }) => endedAt !== undefined);
  if (!FOLLOWED.has(attempts?.at(-1)?.outcome)) return Infinity;
  return attempts!.findLast(({ outcome }) => !FOLLOWED.has(outcome))?.endedAt ?? 0;
}

interface GroupWatch {
  /** Waits until one of them has ended. */
  endedOf(ids: readonly string[]): Promise<string[]>;
  drop(id: string): void;
}

/** Keeps the set of ended jobs of a group by events, which cost nothing per waiting job. */
function watchGroup(store: JobStore, group: string, signal: AbortSignal): GroupWatch {
  const ended = new Set<string>();
  let changed = Promise.withResolvers<void>();
  const note = (id: string, state: JobState): void => {
    if (!hasEnded(state)) return void ended.delete(id);
    ended.add(id);
    changed.resolve();
    changed = Promise.withResolvers();
  };

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        // Open the stream before reading the jobs, so that no end is missed between the two.
        const events = store.events({ group }, signal)[Symbol.asyncIterator]();
        let next = events.next();
        await lookAtAll();
        for (let event = await next; event.done !== true; event = await next) {
          next = events.next();
          note(event.value.job, event.value.state);
        }
      } catch {
        // The store is away: the next round reads the jobs that ended meanwhile.
      }
      await sleep(AFTER_AN_OUTAGE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async function lookAtAll(): Promise<void> {
    for (let after: string | undefined; ;) {
      const page = await store.jobs({ group, limit: PAGE, after });
      for (const { id, state } of page.jobs) if (hasEnded(state)) note(id, state);
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  void follow();
  return {
    async endedOf(ids) {
      for (;;) {
        signal.throwIfAborted();
        const { promise } = changed;
        const found = ids.filter((id) => ended.has(id));
        if (found.length > 0) return found;
        await unlessAborted(promise, signal);
      }
    },
    drop: (id) => void ended.delete(id),
  };
}

function viewOf({ id, state, cause, message, result }: Job): TaskJob {
  return { id, state, cause, message, result };
}
