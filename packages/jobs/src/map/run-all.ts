/** Enqueues jobs and waits for all of them; used by tasks that start other jobs. */
import { SkeinError, type NewJobInput } from '@skein/api';
import { hasFailed } from '@skein/api/job-states';
import { Piece } from '@skein/data/data-set';
import type { TaskContext, TaskJob } from '../tasks/define-task.ts';
import { enqueueAfter } from '../tasks/enqueue-after.ts';

/** The piece that a job of a map has left: the one output of a command, or the value of a task. */
export function pieceOf({ result }: TaskJob): Piece {
  const { digest, sizeBytes } = Piece.parse(result?.outputs[0] ?? result?.value);
  return { digest, sizeBytes };
}

/** Jobs of one call to the store. */
const CHUNK = 500;

/**
 * @param parents ids of the jobs whose results these get.
 * @param onEnqueued called with their ids, in order.
 * @returns the jobs in the order in which they were given.
 * @throws SkeinError STEP_FAILED for the first one that does not succeed; the others are cancelled.
 */
export async function runAll(
  { jobs }: Pick<TaskContext, 'jobs'>,
  given: readonly NewJobInput[],
  parents: readonly string[],
  onEnqueued?: (ids: readonly string[]) => void,
): Promise<TaskJob[]> {
  const enqueued: TaskJob[] = [];
  for (let at = 0; at < given.length; at += CHUNK) {
    enqueued.push(...(await enqueueAfter(jobs, given.slice(at, at + CHUNK), parents)));
  }
  onEnqueued?.(enqueued.map(({ id }) => id));
  // Jobs that failed before this attempt of the task began.
  await jobs.revive(enqueued.filter(({ state }) => hasFailed(state)).map(({ id }) => id));
  const ended = new Map<string, TaskJob>();
  const open = new Set(enqueued.map(({ id }) => id));
  while (open.size > 0) {
    for (const job of await jobs.waitForAny([...open])) {
      open.delete(job.id);
      ended.set(job.id, job);
      if (!hasFailed(job.state)) continue;
      await jobs.cancel([...open], `another one of them, ${job.id}, did not succeed`);
      throw new SkeinError(
        'STEP_FAILED',
        `Job ${job.id} did not succeed (${job.cause ?? 'error'}): ${job.message ?? 'no reason was given'}`,
      );
    }
  }
  return enqueued.map(({ id }) => ended.get(id)!);
}
