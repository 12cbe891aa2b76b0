/** Enqueues jobs behind those whose results they get, so that the graph of a run shows it. */
import { SkeinError, type NewJobInput } from '@skein/api';
import type { TaskJob, TaskJobs } from './task-jobs.ts';

/** More cost the store more than the picture is worth. */
const MOST_LINKS = 2000;

/**
 * @param parents ids of jobs of the same task that have succeeded. Without effect on when the jobs
 *   start; left out where they are too many, or no longer kept.
 */
export async function enqueueAfter(
  jobs: Pick<TaskJobs, 'enqueue'>,
  given: readonly NewJobInput[],
  parents: readonly string[],
): Promise<readonly TaskJob[]> {
  if (parents.length === 0 || parents.length * given.length > MOST_LINKS)
    return jobs.enqueue(given);
  try {
    return await jobs.enqueue(given.map((job) => ({ ...job, parents: [...parents] })));
  } catch (error) {
    if (!(error instanceof SkeinError) || error.code !== 'PARENT_UNKNOWN') throw error;
    return jobs.enqueue(given);
  }
}
