import { SkeinError, type JobLogView, type JobView } from '@skein/api';
import { hasEnded, hasFailed, noJobs } from '@skein/api/job-states';
import {
  cancelRun,
  DEFAULT_QUOTA,
  type ListedJob,
  type JobSpec,
  jobView,
  queueView,
  scheduledSpecOf,
  scheduleView,
  specOf,
  workerView,
} from '@skein/jobs';
import type { Caller } from '../../../access/contract.ts';
import {
  knownJob,
  seesAll,
  storedId,
  visibleJob,
  withShownNames,
  withStoredNames,
} from '../job-names.ts';
import type { ManagementOptions, NodeHandlers } from '../options.ts';

/** A job may have a megabyte of arguments: a page of a list ends after so many bytes of JSON. */
const LIST_BYTES = 4 * 2 ** 20;
/** Jobs that are read at once. */
const LIST_PIECE = 20;

export function jobHandlers({
  jobs,
  scale,
  holdings,
  sandboxes,
}: Pick<ManagementOptions, 'jobs' | 'scale' | 'holdings' | 'sandboxes'>) {
  return {
    async listJobs({ caller, query }) {
      const { tenant = ownTenant(caller), limit, folded, ...asked } = query;
      if (!seesAll(caller) && tenant !== caller.tenant) return { jobs: [] };
      const group = asked.group && (await storedId(jobs, caller, asked.group));
      const filter = { ...asked, group, folded: folded !== undefined };
      const found: JobView[] = [];
      let bytes = 0;
      for (let { after } = filter; ;) {
        const page = await jobs.jobs({
          ...filter,
          tenant,
          after,
          limit: Math.min(LIST_PIECE, limit - found.length),
        });
        for (const job of page.jobs) {
          const view = shown(caller, job);
          found.push(view);
          bytes += JSON.stringify(view).length;
        }
        after = page.next;
        if (after === undefined) return { jobs: found };
        if (found.length >= limit || bytes > LIST_BYTES) return { jobs: found, next: after };
      }
    },

    async getJobGroup({ caller, params }) {
      const group = await storedId(jobs, caller, params.id);
      return { group: params.id, counts: await jobs.groupCounts(group, ownTenant(caller)) };
    },

    async enqueueJobs({ caller, body }) {
      const now = await jobs.now();
      const submitter = submitterOf(caller);
      const specs = body.jobs.map((job) => specOf(job, submitter, now));
      const chosen = new Set(body.jobs.flatMap(({ id }) => id ?? []));
      const stored = await withStoredNames(jobs, caller, specs, chosen);
      if (!seesAll(caller)) {
        await holdings.requireHeld(caller.tenant, specs.flatMap(artifactsOf));
      }
      const quota = seesAll(caller) ? undefined : DEFAULT_QUOTA;
      return { jobs: (await jobs.enqueue(stored, quota)).map((job) => shown(caller, job)) };
    },

    getJob: async ({ caller, params }) => shown(caller, await visibleJob(jobs, caller, params.id)),

    async readJobLog({ caller, params, query }) {
      const job = await visibleJob(jobs, caller, params.id);
      const attempt = query.attempt ?? job.attempts.at(-1)?.number ?? 0;
      if (attempt === 0) {
        return { attempt, text: '', next: 0, sizeBytes: 0, ended: hasEnded(job.state) };
      }
      const { chunk, size, ended } = await jobs.log(job.id, attempt, query.offset, query.maxBytes);
      return logView(attempt, query.offset, { chunk, size, ended });
    },

    async cancelJob({ caller, params, body }) {
      const { id } = await visibleJob(jobs, caller, params.id);
      return shown(caller, knownJob(await cancelRun(jobs, id, body.reason), params.id));
    },

    async reviveJob({ caller, params }) {
      const job = await visibleJob(jobs, caller, params.id);
      if (!hasFailed(job.state)) {
        throw new SkeinError('JOB_NOT_ENDED', `Job ${params.id} is ${job.state}.`);
      }
      return shown(caller, knownJob(await jobs.revive(job.id), params.id));
    },

    async removeJob({ caller, params }) {
      const { id, group, tenant } = await visibleJob(jobs, caller, params.id);
      // A run reads the results of its steps until it has ended.
      const run = group === undefined ? undefined : await jobs.job(group);
      if (run?.tenant === tenant && !hasEnded(run.state)) {
        throw new SkeinError('JOB_NOT_ENDED', `The run of job ${params.id} is ${run.state}.`);
      }
      const { state } = knownJob(await jobs.remove(id), params.id);
      if (hasEnded(state)) return undefined;
      throw new SkeinError('JOB_NOT_ENDED', `Job ${params.id} is ${state}.`);
    },

    async preemptJob({ caller, params }) {
      const { id } = await visibleJob(jobs, caller, params.id);
      return shown(caller, knownJob(await jobs.preempt(id), params.id));
    },

    async listQueues() {
      const [queues, workers, now] = await Promise.all([jobs.queues(), jobs.workers(), jobs.now()]);
      const desired = scale.look(queues, workers, now);
      return { queues: queues.map((queue) => queueView(queue, desired.get(queue.queue))) };
    },

    async setQueueMode({ params: { queue }, body: { mode } }) {
      await jobs.setQueueMode(queue, mode);
      const view = (await jobs.queues()).find((each) => each.queue === queue);
      return queueView(view ?? { queue, mode, counts: noJobs(), attempts: {} });
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
      const spec = scheduledSpecOf(job, submitterOf(caller));
      const id = params.schedule;
      return scheduleView(await jobs.putSchedule({ id, cron, timeZone, paused, spec }));
    },

    async removeSchedule({ params: { schedule } }) {
      if (await jobs.removeSchedule(schedule)) return undefined;
      throw new SkeinError('SCHEDULE_UNKNOWN', `No schedule is called "${schedule}".`);
    },
  } satisfies Partial<NodeHandlers>;
}

function ownTenant(caller: Caller): string | undefined {
  return seesAll(caller) ? undefined : caller.tenant;
}

function submitterOf(caller: Caller) {
  return { tenant: caller.tenant, mayTrust: seesAll(caller) };
}

/** The artifacts that a job reads. Only `admin` may submit tasks, whose inputs may be anything. */
function artifactsOf({ work }: JobSpec): string[] {
  if (work.kind === 'task') return [];
  const { inputs, stdin } = work;
  return [...inputs.map(({ digest }) => digest), ...(stdin === undefined ? [] : [stdin])];
}

function shown(caller: Caller, job: ListedJob): JobView {
  return withShownNames(caller, jobView(job));
}

/** Cuts before an incomplete character, so that pieces can be joined. */
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

/** How many bytes of a chunk end with a complete character. */
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
