/** Jobs: durable work, its queues, schedules, tenants and workers. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import { JobState } from '../resources/job-state.ts';
import {
  JobEvent,
  JobGroupView,
  JobId,
  JobLogView,
  JobView,
  NewJob,
  ScheduleView,
} from '../resources/job.ts';
import { QueueMode, QueueName, QueueView, TenantName, TenantView } from '../resources/queue.ts';
import { SandboxView, WorkerView } from '../resources/worker.ts';
import { Limit } from './parameters.ts';

const JobParam = z.strictObject({ id: JobId });
const job = { id: 'job-1' };
const STORE_ERRORS = ['STORE_UNREACHABLE', 'STORE_REPLACED', 'STORAGE_FULL'] as const;
const command = {
  name: 'clean',
  work: { kind: 'command', argv: ['python3', 'clean.py', 'data.csv'] },
};

export const JOB_ENDPOINTS = {
  listJobs: {
    method: 'GET',
    path: '/api/v1/jobs',
    summary: 'List jobs, newest first.',
    description: 'A caller with the scope `jobs` sees the jobs of its tenant; `admin` sees all.',
    scope: 'jobs',
    query: z.strictObject({
      queue: QueueName.optional(),
      tenant: TenantName.optional(),
      state: JobState.optional(),
      group: JobId.optional(),
      folded: z
        .literal('true')
        .describe(
          'One job of each pipeline, map and gang: the one that started it or, where that is gone, its first.',
        )
        .optional(),
      limit: Limit,
      after: z.string().max(200).describe('`next` of the previous page.').optional(),
    }),
    response: z.object({ jobs: z.array(JobView), next: z.string().optional() }),
    errors: [...STORE_ERRORS],
    example: { query: { state: 'running' } },
  },
  getJobGroup: {
    method: 'GET',
    path: '/api/v1/job-groups/{id}',
    summary: 'Count the jobs of a pipeline, a map or a gang by state.',
    description: 'Without the job that started them. A group without jobs has zeros.',
    scope: 'jobs',
    params: JobParam,
    response: JobGroupView,
    errors: [...STORE_ERRORS],
    example: { params: job },
  },
  enqueueJobs: {
    method: 'POST',
    path: '/api/v1/jobs',
    summary: 'Accept jobs: all of them, or none.',
    description:
      'An accepted job survives the death of any process. Parents and members of a gang may be in the same call. Trusted commands, tasks, and the network of the host need the scope `admin`.',
    scope: 'jobs',
    body: z.strictObject({ jobs: z.array(NewJob).min(1).max(1000) }).meta({ id: 'EnqueueJobs' }),
    status: 201,
    response: z.object({ jobs: z.array(JobView) }),
    errors: [
      ...STORE_ERRORS,
      'QUEUE_DRAINING',
      'TENANT_QUOTA',
      'JOB_UNKNOWN',
      'PARENT_UNKNOWN',
      'ARTIFACT_UNKNOWN',
    ],
    example: { body: { jobs: [command] } },
  },
  getJob: {
    method: 'GET',
    path: '/api/v1/jobs/{id}',
    summary: 'Show one job with its attempts.',
    scope: 'jobs',
    params: JobParam,
    response: JobView,
    errors: [...STORE_ERRORS, 'JOB_UNKNOWN'],
    example: { params: job },
  },
  readJobLog: {
    method: 'GET',
    path: '/api/v1/jobs/{id}/log',
    summary: 'Read the log of an attempt from an offset.',
    scope: 'jobs',
    params: JobParam,
    query: z.strictObject({
      attempt: z.coerce
        .number<number>()
        .int()
        .min(1)
        .describe('Number of the attempt. Default: the last.')
        .optional(),
      offset: z.coerce.number<number>().int().min(0).default(0),
      maxBytes: z.coerce
        .number<number>()
        .int()
        .min(4)
        .max(1024 * 1024)
        .default(65_536),
    }),
    response: JobLogView,
    errors: [...STORE_ERRORS, 'JOB_UNKNOWN'],
    example: { params: job },
  },
  cancelJob: {
    method: 'POST',
    path: '/api/v1/jobs/{id}/cancel',
    summary: 'Cancel a job; a running attempt ends within a second.',
    scope: 'jobs',
    params: JobParam,
    body: z
      .strictObject({ reason: z.string().min(1).max(500).default('asked for over the API') })
      .meta({ id: 'CancelJob' }),
    response: JobView,
    errors: [...STORE_ERRORS, 'JOB_UNKNOWN'],
    example: { params: job, body: { reason: 'wrong input' } },
  },
  reviveJob: {
    method: 'POST',
    path: '/api/v1/jobs/{id}/revive',
    summary: 'Revive a failed, dead or cancelled job, with the children that failed because of it.',
    scope: 'jobs',
    params: JobParam,
    response: JobView,
    errors: [...STORE_ERRORS, 'JOB_UNKNOWN', 'JOB_NOT_ENDED'],
    example: { params: { id: 'job-2' } },
  },
  removeJob: {
    method: 'DELETE',
    path: '/api/v1/jobs/{id}',
    summary: 'Remove an ended job with its logs, before the time is over for which it is kept.',
    description:
      'The steps of a run stay until the run has ended. Artifacts that no other job or schedule names are removed within a day. A job with its idempotency key runs again, and a result that it gave to the cache is not found any more.',
    scope: 'jobs',
    params: JobParam,
    errors: [...STORE_ERRORS, 'JOB_UNKNOWN', 'JOB_NOT_ENDED'],
    example: { params: { id: 'job-2' } },
  },
  preemptJob: {
    method: 'POST',
    path: '/api/v1/jobs/{id}/preempt',
    summary: 'Let a running attempt checkpoint and stop; the job goes back to its queue.',
    scope: 'admin',
    params: JobParam,
    response: JobView,
    errors: [...STORE_ERRORS, 'JOB_UNKNOWN'],
    example: { params: job },
  },
  streamJobEvents: {
    method: 'GET',
    path: '/api/v1/job-events',
    summary: 'Stream the events of jobs as server-sent events.',
    description:
      'The id of an event is its sequence number: reconnect with `Last-Event-ID` to receive all of them. Without it the stream starts from now. When the key is revoked or expires, the stream ends with the event `error`, which holds the body of a refused request.',
    scope: 'jobs',
    query: z.strictObject({
      job: JobId.optional(),
      group: JobId.optional(),
      queue: QueueName.optional(),
    }),
    events: JobEvent,
    eventsAre: 'A stream of events called `job`: the `data` field is the whole event as JSON.',
    errors: [...STORE_ERRORS],
    example: { query: { queue: 'default' } },
  },
  listQueues: {
    method: 'GET',
    path: '/api/v1/queues',
    summary: 'List the queues with their counts.',
    scope: 'read',
    response: z.object({ queues: z.array(QueueView) }),
    errors: [...STORE_ERRORS],
  },
  setQueueMode: {
    method: 'PUT',
    path: '/api/v1/queues/{queue}/mode',
    summary: 'Pause, drain or reopen a queue.',
    scope: 'admin',
    params: z.strictObject({ queue: QueueName }),
    body: z.strictObject({ mode: QueueMode }).meta({ id: 'SetQueueMode' }),
    response: QueueView,
    errors: [...STORE_ERRORS],
    example: { params: { queue: 'default' }, body: { mode: 'paused' } },
  },
  listTenants: {
    method: 'GET',
    path: '/api/v1/tenants',
    summary: 'List the tenants that have settings.',
    scope: 'admin',
    response: z.object({ tenants: z.array(TenantView) }),
    errors: [...STORE_ERRORS],
  },
  putTenant: {
    method: 'PUT',
    path: '/api/v1/tenants/{tenant}',
    summary: 'Set the share and the quotas of a tenant.',
    scope: 'admin',
    params: z.strictObject({ tenant: TenantName }),
    body: TenantView.omit({ tenant: true })
      .extend({ weight: TenantView.shape.weight.default(1) })
      .meta({ id: 'TenantSettings' }),
    response: TenantView,
    errors: [...STORE_ERRORS],
    example: { params: { tenant: 'students' }, body: { weight: 2, maxRunning: 50 } },
  },
  listWorkers: {
    method: 'GET',
    path: '/api/v1/workers',
    summary: 'List the workers with the resources and labels that they offer.',
    scope: 'read',
    response: z.object({ workers: z.array(WorkerView) }),
    errors: [...STORE_ERRORS],
  },
  listSandboxes: {
    method: 'GET',
    path: '/api/v1/sandboxes',
    summary: 'List the limits that each sandbox enforces on this host.',
    scope: 'read',
    response: z.object({ sandboxes: z.array(SandboxView) }),
  },
  listSchedules: {
    method: 'GET',
    path: '/api/v1/schedules',
    summary: 'List the schedules.',
    scope: 'read',
    response: z.object({ schedules: z.array(ScheduleView) }),
    errors: [...STORE_ERRORS],
  },
  putSchedule: {
    method: 'PUT',
    path: '/api/v1/schedules/{schedule}',
    summary: 'Enqueue a job on a schedule; replaces the schedule of this name.',
    description:
      '`startAfterMs` and `finishWithinMs` of the job count from each time that it is enqueued. `id`, `idempotencyKey`, `gang` and `parents` belong to one job, and are refused.',
    scope: 'admin',
    params: z.strictObject({ schedule: JobId }),
    body: z
      .strictObject({
        cron: z.string().max(200).describe('Five fields, such as `0 3 * * *`.'),
        timeZone: z.string().min(1).max(64).describe('IANA name.').default('UTC'),
        paused: z.boolean().default(false),
        job: NewJob,
      })
      .meta({ id: 'NewSchedule' }),
    response: ScheduleView,
    errors: [...STORE_ERRORS],
    example: { params: { schedule: 'nightly' }, body: { cron: '0 3 * * *', job: command } },
  },
  removeSchedule: {
    method: 'DELETE',
    path: '/api/v1/schedules/{schedule}',
    summary: 'Remove a schedule; jobs that it enqueued stay.',
    scope: 'admin',
    params: z.strictObject({ schedule: JobId }),
    errors: [...STORE_ERRORS, 'SCHEDULE_UNKNOWN'],
    example: { params: { schedule: 'nightly' } },
  },
} as const satisfies Record<string, NodeEndpoint>;
