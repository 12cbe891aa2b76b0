/**
 * The embedded backend of `JobStore`: one SQLite file, `jobs.db`, in a thread of its own, since a
 * commit may have to wait for the disk.
 *
 * Durability: write-ahead log with `synchronous=NORMAL`. An acknowledged change is with the kernel,
 * so `kill -9` of any process loses nothing; a power cut may lose about the last second, and never
 * leaves the file half changed.
 */
import { listenersOf } from '../listeners.ts';
import { wakes } from '../wake.ts';
import type { JobEvent, JobStore, LeaseNotification } from '../../contract.ts';
import { jobOfView, type JobView } from './job-view.ts';
import { startJobsThread } from './jobs-thread.ts';
import type { Method } from './local-jobs.ts';

/** Rows of events that one read brings; each has the events of one transaction. */
const EVENT_PAGE = 50;

/** Methods that are passed to the thread unchanged. */
const PLAIN = [
  'renew',
  'progress',
  'appendLog',
  'saveCheckpoint',
  'finish',
  'setQueueMode',
  'putTenant',
  'tenantLoad',
  'holdArtifact',
  'lackedArtifacts',
  'heldArtifacts',
  'dropArtifact',
  'putSchedule',
  'removeSchedule',
  'schedules',
  'tick',
  'registerWorker',
  'workers',
  'queues',
  'tenants',
  'groupCounts',
  'log',
  'now',
] as const satisfies readonly Method[];

/**
 * @param path a file, made when it is not there.
 * @param options.clock for tests: ms since the epoch.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export async function openSqliteJobs(
  path: string,
  options: { readonly clock?: () => number } = {},
): Promise<JobStore> {
  const wake = wakes();
  const leaseListeners = listenersOf<LeaseNotification>();
  const written = listenersOf<void>();
  const thread = await startJobsThread(path, options.clock, (notifications) => {
    for (const queue of notifications.queues) wake.notify(queue);
    for (const { worker, lease } of notifications.leases) leaseListeners.notify(worker, lease);
    if (notifications.events) written.notify('', undefined);
  });
  const plain = Object.fromEntries(
    PLAIN.map((method) => [
      method,
      (...args: readonly unknown[]) => thread.call(method, ...(args as never)),
    ]),
  ) as unknown as Pick<JobStore, (typeof PLAIN)[number]>;

  const job = (view: JobView | undefined) => view && jobOfView(view);

  async function* events(
    { after, ...filter }: Parameters<JobStore['events']>[0],
    signal: AbortSignal,
  ): AsyncGenerator<JobEvent> {
    // One of another store would keep the events back until their numbers have caught up with it.
    let next = Math.min(after ?? Infinity, await thread.call('lastSequence'));
    while (!signal.aborted) {
      const more = written.once('', signal);
      const page = await thread.call('eventsAfter', next, filter, EVENT_PAGE);
      yield* page.events;
      if (page.next === next) await more;
      next = page.next;
    }
  }

  return {
    ...plain,
    async enqueue(specs, quota) {
      const views = await thread.call('enqueue', specs, quota);
      return views.map((view, index) => jobOfView(view, specs[index]));
    },
    async claim(offer) {
      wake.beforeClaim(offer.worker, offer.queues);
      const claims = await thread.call('claim', offer);
      return claims.map((claim) => ({ ...claim, job: jobOfView(claim.job) }));
    },
    cancel: async (id, reason) => job(await thread.call('cancel', id, reason)),
    preempt: async (id) => job(await thread.call('preempt', id)),
    revive: async (id) => job(await thread.call('revive', id)),
    remove: async (id) => job(await thread.call('remove', id)),
    job: async (id) => job(await thread.call('job', id)),
    async jobs(filter) {
      const { jobs, next } = await thread.call('jobs', filter);
      return { jobs: jobs.map((view) => jobOfView(view)), ...(next === undefined ? {} : { next }) };
    },
    waitForWork: (queues, waitMs, signal, worker) => wake.wait(worker, queues, waitMs, signal),
    async onLeaseNotification(worker, listener) {
      const stop = leaseListeners.on(worker, listener);
      return async () => stop();
    },
    removeWorker(worker) {
      wake.remove(worker);
      return thread.call('removeWorker', worker);
    },
    events,
    async close() {
      await thread.close();
      wake.notifyAll();
    },
  };
}
