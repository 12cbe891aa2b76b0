/** Lists of the Redis store, which change nothing: jobs by filter, queues, tenants, workers, schedules. */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api/errors';
import { JOB_STATES, noJobs } from '@skein/api/job-states';
import type {
  HeldBytes,
  JobState,
  JobStore,
  QueueView,
  Schedule,
  WorkerView,
} from '../../contract.ts';
import { jobOf, type ListedView } from './job-view.ts';
import type { ScriptName } from './scripts.ts';

export type Listings = Pick<
  JobStore,
  | 'jobs'
  | 'groupCounts'
  | 'queues'
  | 'tenants'
  | 'tenantLoad'
  | 'workers'
  | 'schedules'
  | 'heldArtifacts'
>;

type Run = (name: ScriptName, ...args: readonly (string | number)[]) => Promise<unknown>;

export function listings(run: Run): Listings {
  return {
    async jobs(filter) {
      const { after } = filter;
      if (after !== undefined && !Number.isSafeInteger(Number(after))) {
        throw new SkeinError('REQUEST_INVALID', `"${after}" is not the end of a page.`);
      }
      const [next, ...views] = (await run(
        'jobs',
        filter.queue ?? '',
        filter.tenant ?? '',
        filter.state ?? '',
        filter.group ?? '',
        filter.limit,
        after ?? '',
        filter.folded === true ? 1 : '',
      )) as [string, ...ListedView[]];
      const jobs = views.map(([fields, spec, behind = '']) => ({
        ...jobOf([fields, spec]),
        ...(behind === '' ? {} : { behind }),
      }));
      return { jobs, ...(next === '' ? {} : { next }) };
    },

    async groupCounts(group, tenant = '') {
      const counts = noJobs();
      for (let from: string | undefined = '0'; from !== '';) {
        const [next, ...pairs] = (await run('group-counts', group, tenant, from)) as [
          string,
          ...(JobState | number)[],
        ];
        for (let at = 0; at < pairs.length; at += 2) {
          counts[pairs[at] as JobState] += Number(pairs[at + 1]);
        }
        from = next;
      }
      return counts;
    },

    async queues() {
      const found = (await run('queues')) as [
        string,
        QueueView['mode'],
        string,
        ...(number | string)[],
      ][];
      return found
        .map(([queue, mode, oldest, ...counts]): QueueView => ({
          queue,
          mode,
          counts: Object.fromEntries(
            JOB_STATES.map((state, index) => [state, counts[index] ?? 0]),
          ) as Record<JobState, number>,
          oldestReadyAt: oldest === '' ? undefined : Number(oldest),
          attempts: attemptsFrom(counts.slice(JOB_STATES.length)),
        }))
        .sort((a, b) => (a.queue < b.queue ? -1 : 1));
    },

    async tenants() {
      const found = (await run('tenants')) as [string, ...(string | null)[]][];
      const limit = (value: string | null | undefined) =>
        value === null || value === undefined ? undefined : Number(value);
      return found
        .map(([tenant, weight, maxRunning, maxQueued, rate]) => ({
          tenant,
          weight: Number(weight),
          maxRunning: limit(maxRunning),
          maxQueued: limit(maxQueued),
          jobsPerSecond: limit(rate),
        }))
        .sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
    },

    async tenantLoad(tenant) {
      const found = (await run('tenant-load', tenant)) as (string | null)[];
      const [queued, running, maxQueued] = found.map((value) => value && Number(value));
      return {
        queued: Number(queued),
        running: Number(running),
        maxQueued: typeof maxQueued === 'number' ? maxQueued : undefined,
      };
    },

    async workers() {
      const found = (await run('workers')) as [worker: string, seenAt: string, running: number][];
      return found
        .map(([json, seenAt, running]) => ({
          ...(readJson(json, JSON_BOUNDS.record) as Omit<WorkerView, 'seenAt' | 'running'>),
          seenAt: Number(seenAt),
          running,
        }))
        .sort((a, b) => (a.worker < b.worker ? -1 : 1));
    },

    async schedules() {
      const found = (await run('schedules')) as [schedule: string, nextAt: string][];
      return found
        .map(([json, nextAt]) => ({
          ...(readJson(json, JSON_BOUNDS.record) as Schedule),
          nextAt: Number(nextAt),
        }))
        .sort((a, b) => (a.id < b.id ? -1 : 1));
    },

    heldArtifacts: async () => heldBytes((await run('held-artifacts')) as string[]),
  };
}

/** From pairs of an outcome and how many attempts ended so. */
function attemptsFrom(pairs: readonly (number | string)[]): QueueView['attempts'] {
  const attempts: Record<string, number> = {};
  for (let at = 0; at < pairs.length; at += 2) attempts[String(pairs[at])] = Number(pairs[at + 1]);
  return attempts;
}

/** From pairs of a tenant and bytes. */
export function heldBytes(pairs: readonly string[]): HeldBytes[] {
  const held: HeldBytes[] = [];
  for (let at = 0; at < pairs.length; at += 2) {
    held.push({ tenant: pairs[at] ?? '', bytes: Number(pairs[at + 1]) });
  }
  return held.sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
}
