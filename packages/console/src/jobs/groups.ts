/**
 * A list of jobs as people think of it: what a pipeline or a map started is behind the job that
 * started it, and the ranks of a gang are behind the first one.
 */
import type { JobView } from '@skein/api';

type Listed = Pick<JobView, 'id' | 'group' | 'gang'>;

export interface GroupedRow<Job> {
  readonly job: Job;
  /** The group whose jobs are behind this row. */
  readonly group?: string;
}

/**
 * Groups whose own job is not in the list: it is older than the jobs that it started. No job starts
 * the ranks of a gang.
 */
export function absentStarters(jobs: readonly Listed[]): string[] {
  const listed = new Set(jobs.map(({ id }) => id));
  const groups = new Set(
    jobs.flatMap(({ group, gang }) => (gang === undefined ? (group ?? []) : [])),
  );
  return [...groups].filter((group) => !listed.has(group));
}

/**
 * @param jobs newest first.
 * @returns one row per group, which is the job that started it or, where that is not in the list,
 *   the first job of the group; and one row for every other job.
 */
export function grouped<Job extends Listed>(jobs: readonly Job[]): GroupedRow<Job>[] {
  const listed = new Set(jobs.map(({ id }) => id));
  const members = Map.groupBy(jobs, ({ id, group }) => (group === id ? undefined : group));
  return jobs.flatMap((job): GroupedRow<Job>[] => {
    const { id, group } = job;
    const isMember = group !== undefined && group !== id;
    if (isMember && (listed.has(group) || members.get(group)?.at(-1) !== job)) return [];
    if (members.has(id)) return [{ job, group: id }];
    const isFirst = isMember && (members.get(group)?.length ?? 0) > 1;
    return [isFirst ? { job, group } : { job }];
  });
}
