/**
 * Cancels a job, and the jobs that it has started: jobs of a pipeline, a map or another task. Without it no job waits
 * for their results. They are in the group that bears its id or, where it has a group of its own, in that one, among
 * jobs of others.
 */
import { hasEnded } from '@skein/api/job-states';
import type { Job, JobStore } from '../contract.ts';
import { starterOf } from './task-jobs.ts';

type Store = Pick<JobStore, 'cancel' | 'jobs'>;

const PAGE = 500;

/** @returns the job. Where it has ended before, jobs that it has left are cancelled all the same. */
export async function cancelRun(
  store: Store,
  id: string,
  reason: string,
): Promise<Job | undefined> {
  // First, so that it starts no more; see `createTaskJobs`.
  const run = await store.cancel(id, reason);
  if (run?.work.kind !== 'task') return run;
  const { tenant, group = id } = run;
  const known: { id: string; starter: string | undefined; isOpen: boolean }[] = [];
  for (let after: string | undefined; ;) {
    const page = await store.jobs({ group, tenant, limit: PAGE, after });
    for (const job of page.jobs) {
      known.push({ id: job.id, starter: starterOf(job), isOpen: !hasEnded(job.state) });
    }
    if (page.next === undefined) break;
    after = page.next;
  }
  const runs = new Set([id]);
  const open: string[] = [];
  // Oldest first: what it has started before what that has started.
  for (const job of known.reverse()) {
    if (run.group !== undefined && !runs.has(job.starter ?? '')) continue;
    runs.add(job.id);
    if (job.isOpen) open.push(job.id);
  }
  for (let at = 0; at < open.length; at += PAGE) {
    await Promise.all(open.slice(at, at + PAGE).map((each) => store.cancel(each, reason)));
  }
  return run;
}
