/**
 * Cancels a job, and the jobs that it has started: those of a pipeline, a map or another task are in the group that
 * bears its id, and without it no job waits for their results.
 */
import { hasEnded } from '@skein/api/job-states';
import type { Job, JobStore } from '../contract.ts';

const PAGE = 500;

/** @returns the job. Where it has ended before, jobs that it has left are cancelled all the same. */
export async function cancelRun(
  store: Pick<JobStore, 'cancel' | 'jobs'>,
  id: string,
  reason: string,
): Promise<Job | undefined> {
  // First, so that it starts no more; see `createTaskJobs`.
  const job = await store.cancel(id, reason);
  // What a task starts is in the group of the task where it has one, among jobs of others.
  if (job?.work.kind !== 'task' || job.group !== undefined) return job;
  for (let after: string | undefined; ;) {
    const page = await store.jobs({ group: id, tenant: job.tenant, limit: PAGE, after });
    const open = page.jobs.filter(({ state }) => !hasEnded(state));
    await Promise.all(open.map((each) => store.cancel(each.id, reason)));
    if (page.next === undefined) return job;
    after = page.next;
  }
}
