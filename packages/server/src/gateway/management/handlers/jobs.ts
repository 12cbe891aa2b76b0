import { SkeinError, type JobLogView } from '@skein/api';
import type { Caller } from '../../../access/contract.ts';
import { specOf } from '../../../jobs/admission.ts';
import type { Job, JobStore } from '../../../jobs/contract.ts';
import { jobView, queueView, scheduleView, workerView } from '../../../jobs/view.ts';
import type { ManagementOptions } from '../contract.ts';
import type { Handlers } from '../handler.ts';

type Jobs = Pick<
  Handlers,
  | 'listJobs'
  | 'enqueueJobs'
  | 'getJob'
  | 'readJobLog'
  | 'cancelJob'
  | 'reviveJob'
  | 'preemptJob'
  | 'listQueues'
  | 'setQueueMode'
  | 'listTenants'
  | 'putTenant'
  | 'listWorkers'
  | 'listSandboxes'
  | 'listSchedules'
  | 'putSchedule'
  | 'removeSchedule'
>;

const ENDED = new Set(['succeeded', 'failed', 'cancelled', 'dead']);
const REVIVABLE = new Set(['failed', 'cancelled', 'dead']);

export function jobHandlers({
  jobs,
  sandboxes,
}: Pick<ManagementOptions, 'jobs' | 'sandboxes'>): Jobs {
  return {
    async listJobs({ caller, query }) {
      const { tenant = ownTenant(caller), ...filter } = query;
      if (!seesAll(caller) && tenant !== caller.tenant) return { jobs: [] };
      const page = await jobs.jobs({ ...filter, tenant });
      return {
        jobs: page.jobs.map(jobView),
        ...(page.next === undefined ? {} : { next: page.next }),
      };
    },

    async enqueueJobs({ caller, body }) {
      const now = await jobs.now();
      const submitter = submitterOf(caller);
      const specs = body.jobs.map((job) => specOf(job, submitter, now));
      const own = new Set(specs.map((spec) => spec.id));
      const parents = new Set(specs.flatMap((spec) => spec.parents));
      // A parent of another tenant is as unknown as one that does not exist.
      for (const parent of parents) if (!own.has(parent)) await visible(jobs, caller, parent);
      return { jobs: (await jobs.enqueue(specs)).map(jobView) };
    },

    getJob: async ({ caller, params }) => jobView(await visible(jobs, caller, params.id)),

    async readJobLog({ caller, params, query }) {
      const job = await visible(jobs, caller, params.id);
      const attempt = query.attempt ?? job.attempts.at(-1)?.number ?? 0;
      if (attempt === 0) {
        return { attempt, text: '', next: 0, sizeBytes: 0, ended: ENDED.has(job.state) };
      }
      const { chunk, size, ended } = await jobs.log(job.id, attempt, query.offset, query.maxBytes);
      return logView(attempt, query.offset, { chunk, size, ended });
    },

    async cancelJob({ caller, params, body }) {
      await visible(jobs, caller, params.id);
      return jobView(known(await jobs.cancel(params.id, body.reason), params.id));
    },

    async reviveJob({ caller, params }) {
      const job = await visible(jobs, caller, params.id);
      if (!REVIVABLE.has(job.state)) {
        throw new SkeinError('JOB_NOT_ENDED', `Job ${job.id} is ${job.state}.`);
      }
      return jobView(known(await jobs.revive(params.id), params.id));
    },

    async preemptJob({ caller, params }) {
      await visible(jobs, caller, params.id);
      return jobView(known(await jobs.preempt(params.id), params.id));
    },

    listQueues: async () => ({ queues: (await jobs.queues()).map(queueView) }),

    async setQueueMode({ params: { queue }, body: { mode } }) {
      await jobs.setQueueMode(queue, mode);
      const view = (await jobs.queues()).find((each) => each.queue === queue);
      return queueView(view ?? { queue, mode, counts: NO_JOBS });
    },

    listTenants: async () => ({ tenants: (await jobs.tenants()).map((tenant) => ({ ...tenant })) }),

    async putTenant({ params: { tenant }, body }) {
      await jobs.putTenant({ tenant, ...body });
      return { tenant, ...body };
    },

    listWorkers: async () => ({ workers: (await jobs.workers()).map(workerView) }),

    listSandboxes: async () => ({ sandboxes: await sandboxes() }),

    listSchedules: async () => ({ schedules: (await jobs.schedules()).map(scheduleView) }),

    async putSchedule({ caller, params, body }) {
      const { job, cron, timeZone, paused } = body;
      const { id: _, ...spec } = specOf(job, submitterOf(caller), await jobs.now());
      const id = params.schedule;
      return scheduleView(await jobs.putSchedule({ id, cron, timeZone, paused, spec }));
    },

    async removeSchedule({ params: { schedule } }) {
      if (await jobs.removeSchedule(schedule)) return undefined;
      throw new SkeinError('SCHEDULE_UNKNOWN', `No schedule is called "${schedule}".`);
    },
  };
}

const NO_JOBS = {
  blocked: 0,
  ready: 0,
  running: 0,
  succeeded: 0,
  failed: 0,
  cancelled: 0,
  dead: 0,
};

function seesAll(caller: Caller): boolean {
  return caller.scopes.includes('admin');
}

function ownTenant(caller: Caller): string | undefined {
  return seesAll(caller) ? undefined : caller.tenant;
}

function submitterOf(caller: Caller) {
  return { tenant: caller.tenant, mayTrust: seesAll(caller) };
}

/** @throws SkeinError JOB_UNKNOWN also for a job of another tenant. */
async function visible(jobs: JobStore, caller: Caller, id: string): Promise<Job> {
  const job = await jobs.job(id);
  const hidden = job !== undefined && !seesAll(caller) && job.tenant !== caller.tenant;
  return known(hidden ? undefined : job, id);
}

function known(job: Job | undefined, id: string): Job {
  if (job !== undefined) return job;
  throw new SkeinError('JOB_UNKNOWN', `There is no job "${id}".`);
}

/** Cuts before a character whose rest is still to come, so that pieces can be joined. */
function logView(
  attempt: number,
  offset: number,
  { chunk, size, ended }: { chunk: Uint8Array; size: number; ended: boolean },
): JobLogView {
  const whole = offset + chunk.byteLength >= size && ended;
  const cut = whole ? chunk.byteLength : completeUtf8(chunk);
  const next = offset + cut;
  return {
    attempt,
    text: new TextDecoder().decode(chunk.subarray(0, cut)),
    next,
    sizeBytes: size,
    ended: ended && next >= size,
  };
}

/** How many bytes of a chunk end with a whole character. */
function completeUtf8(chunk: Uint8Array): number {
  for (let back = 1; back <= Math.min(4, chunk.byteLength); back++) {
    const byte = chunk[chunk.byteLength - back] ?? 0;
    if (byte < 0x80) return chunk.byteLength;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return back < length ? chunk.byteLength - back : chunk.byteLength;
  }
  return chunk.byteLength;
}
