/**
 * The job plane's part of the metrics page: queues, how attempts ended, workers, and how soon this
 * node's own worker starts what is ready.
 *
 * All but the last is read from the store, which counts as it goes: a page costs a look at the
 * queues and never one at the jobs. In a fleet every node shows the same of these, so take the
 * maximum over the nodes and not the sum.
 */
import { labelled, type Exposition } from '@skein/http';
import type { DesiredWorkers, JobStore, WorkerScale } from '@skein/jobs';
import { expose, histogram, observe } from './histogram.ts';
import { OTHER } from './serving-series.ts';
import { within } from '@skein/api/waits';

type View = Awaited<ReturnType<JobStore['queues']>>[number];
type WorkerOfStore = Awaited<ReturnType<JobStore['workers']>>[number];

/** Queues that have series of their own. Tenants name queues, so their number has no bound. */
const MAX_QUEUES = 50;
/** The store is asked at most so often, in milliseconds, however many scrape. */
const READ_EVERY_MS = 1000;
/** How long a page waits for the store, in milliseconds; Prometheus gives up after ten seconds. */
const PATIENCE_MS = 2000;
/** Milliseconds. */
const PICKUP_BOUNDS = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000,
  1_800_000,
];

export interface JobMetrics {
  /** Takes how long a job was ready before this node's worker started it, in milliseconds. */
  pickedUp(waitedMs: number): void;
  /** Asks the store, for the next pages. Never rejects, and never waits long. */
  read(store: Pick<JobStore, 'queues' | 'workers' | 'now'>): Promise<void>;
  expose(into: Exposition): void;
}

interface Seen {
  readonly queues: readonly View[];
  readonly workers: readonly WorkerOfStore[];
  /** The store's clock. */
  readonly now: number;
  /** By queue. */
  readonly desired: ReadonlyMap<string, DesiredWorkers>;
}

/** @param ownQueues those that the node works on, which always have series of their own. */
export function createJobMetrics(ownQueues: readonly string[], scale: WorkerScale): JobMetrics {
  const pickupMs = histogram(PICKUP_BOUNDS);
  const named = new Set(ownQueues);
  /** Absent while the store does not answer. */
  let seen: Seen | undefined;
  let askedAt = -Infinity;
  let asking = Promise.resolve();
  let isAsking = false;

  async function ask(store: Parameters<JobMetrics['read']>[0]): Promise<void> {
    isAsking = true;
    askedAt = performance.now();
    try {
      const [queues, workers, now] = await Promise.all([
        store.queues(),
        store.workers(),
        store.now(),
      ]);
      seen = { queues, workers, now, desired: scale.look(queues, workers, now) };
    } catch {
      seen = undefined;
    } finally {
      isAsking = false;
    }
  }

  function nameOf(queue: string): string {
    if (named.size < MAX_QUEUES) named.add(queue);
    return named.has(queue) ? queue : OTHER;
  }

  return {
    pickedUp: (waitedMs) => observe(pickupMs, waitedMs),
    async read(store) {
      if (!isAsking && performance.now() - askedAt >= READ_EVERY_MS) asking = ask(store);
      await within(asking, PATIENCE_MS, () => {
        // Earlier numbers are no longer known to be true.
        seen = undefined;
      });
    },
    expose(into) {
      into.family('skein_job_store_up', 'gauge', 'Whether the store of jobs answered, 1 or 0.');
      into.sample('', seen === undefined ? 0 : 1);
      if (seen !== undefined) exposeSeen(seen, nameOf, into);
      into.family(
        'skein_job_pickup_seconds',
        'histogram',
        'From ready to started, of jobs that the worker of this node started, in seconds.',
      );
      expose(pickupMs, '', 1000, into);
    },
  };
}

function exposeSeen(
  { queues, workers, now, desired }: Seen,
  nameOf: (queue: string) => string,
  into: Exposition,
): void {
  const jobs = new Map<string, number>();
  const oldestMs = new Map<string, number>();
  const attempts = new Map<string, number>();
  const lost = new Map<string, number>();
  const wanted = new Map<string, number>();
  for (const view of queues) {
    const queue = nameOf(view.queue);
    for (const [state, count] of Object.entries(view.counts)) {
      add(jobs, labelled({ queue, state }), count);
    }
    for (const [cause, count] of Object.entries(view.attempts)) {
      add(attempts, labelled({ queue, cause }), count);
    }
    const labels = labelled({ queue });
    add(wanted, labels, desired.get(view.queue)?.workers ?? 0);
    add(lost, labels, view.attempts['lease-lost'] ?? 0);
    const waitsMs = view.oldestReadyAt === undefined ? 0 : Math.max(0, now - view.oldestReadyAt);
    oldestMs.set(labels, Math.max(oldestMs.get(labels) ?? 0, waitsMs));
  }
  into.family('skein_jobs', 'gauge', 'Jobs that are kept, by queue and state.');
  for (const [labels, count] of jobs) into.sample(labels, count);
  into.family(
    'skein_jobs_oldest_ready_seconds',
    'gauge',
    'How long the oldest ready job waits, in seconds; 0 when none does.',
  );
  for (const [labels, ms] of oldestMs) into.sample(labels, ms / 1000);
  into.family('skein_job_attempts_total', 'counter', 'Attempts that ended, by queue and cause.');
  for (const [labels, count] of attempts) into.sample(labels, count);
  into.family('skein_job_leases_lost_total', 'counter', 'Attempts whose worker fell silent.');
  for (const [labels, count] of lost) into.sample(labels, count);
  into.family(
    'skein_workers_desired',
    'gauge',
    'Workers that a queue needs, so that its jobs start within 30 seconds; 0 when it is empty.',
  );
  for (const [labels, count] of wanted) into.sample(labels, count);
  into.family('skein_job_workers', 'gauge', 'Workers that are known to the store, by mode.');
  for (const mode of ['open', 'draining']) {
    into.sample(labelled({ mode }), workers.filter((worker) => worker.mode === mode).length);
  }
}

function add(to: Map<string, number>, labels: string, by: number): void {
  to.set(labels, (to.get(labels) ?? 0) + by);
}
