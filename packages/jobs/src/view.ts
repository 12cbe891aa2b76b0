/** Jobs, queues, workers and events as the API shows them: times in ISO 8601, no tokens. */
import { defined } from '@skein/api/defined';
import type { AttemptView, JobEvent as JobEventView, JobView } from '@skein/api';
import type {
  QueueView as ApiQueueView,
  ScheduleView,
  WorkerView as ApiWorkerView,
} from '@skein/api';
import type { Attempt, JobEvent, ListedJob, QueueView, Schedule, WorkerView } from './contract.ts';
import type { DesiredWorkers } from './scale/desired-workers.ts';

export function jobView(job: ListedJob): JobView {
  return defined({
    id: job.id,
    queue: job.queue,
    tenant: job.tenant,
    name: job.name,
    work: job.work as JobView['work'],
    priority: job.priority,
    resources: job.resources,
    requires: [...job.requires],
    retry: job.retry,
    parents: [...job.parents],
    gang: job.gang,
    group: job.group,
    behind: job.behind,
    state: job.state,
    cause: job.cause,
    message: job.message,
    enqueuedAt: iso(job.enqueuedAt),
    notBefore: isoOr(job.notBefore),
    deadline: isoOr(job.deadline),
    startedAt: isoOr(job.startedAt),
    endedAt: isoOr(job.endedAt),
    cache: job.cacheKey !== undefined,
    retentionMs: job.retentionMs,
    attempts: job.attempts.map(attemptView),
    progress: job.progress,
    result: job.result && { value: job.result.value, outputs: [...job.result.outputs] },
    cachedFrom: job.cachedFrom,
    checkpoint: job.checkpoint,
  });
}

function attemptView(attempt: Attempt): AttemptView {
  return defined({
    number: attempt.number,
    worker: attempt.worker,
    startedAt: iso(attempt.startedAt),
    endedAt: isoOr(attempt.endedAt),
    outcome: attempt.outcome,
    message: attempt.message,
    usage: attempt.usage,
  });
}

/** @param desired absent: not known. */
export function queueView(queue: QueueView, desired?: DesiredWorkers): ApiQueueView {
  return defined({
    queue: queue.queue,
    mode: queue.mode,
    counts: queue.counts,
    oldestReadyAt: isoOr(queue.oldestReadyAt),
    desiredWorkers: desired?.workers,
    desiredWorkersWhy: desired?.why,
  });
}

export function workerView(worker: WorkerView): ApiWorkerView {
  return {
    ...worker,
    queues: [...worker.queues],
    labels: [...worker.labels],
    startedAt: iso(worker.startedAt),
    seenAt: iso(worker.seenAt),
  };
}

export function scheduleView(schedule: Schedule): ScheduleView {
  const { id, cron, timeZone, paused, nextAt, spec } = schedule;
  const { queue, name, tenant } = spec;
  return { id, cron, timeZone, paused, nextAt: iso(nextAt), queue, name, tenant };
}

export function jobEventView(event: JobEvent): JobEventView {
  return defined({ ...event, at: iso(event.at) });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function isoOr(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : iso(ms);
}
