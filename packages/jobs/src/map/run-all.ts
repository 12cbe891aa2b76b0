/**
 * Enqueues jobs and waits for all of them; used by tasks that start other jobs. A job whose result is kept
 * by its input may get a second copy, once, on an idle worker: the first result counts, and the other
 * copy is cancelled.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { NewJob, SkeinError, validate, type NewJobInput } from '@skein/api';
import { hasFailed } from '@skein/api/job-states';
import { Piece } from '@skein/data/data-set';
import type { BuiltinContext } from '../tasks/builtin.ts';
import type { TaskJob } from '../tasks/define-task.ts';
import { enqueueAfter } from '../tasks/enqueue-after.ts';
import { copied, stragglers, type PieceRun } from './stragglers.ts';

/** The piece that a job of a map has left: the one output of a command, or the value of a task. */
export function pieceOf({ result }: TaskJob): Piece {
  const { digest, sizeBytes } = Piece.parse(result?.outputs[0] ?? result?.value);
  return { digest, sizeBytes };
}

/** Jobs of one call to the store. */
const CHUNK = 500;
/** How long no job ends before stragglers are sought. */
const QUIET_MS = 1000;

type Context = Pick<BuiltinContext, 'jobs' | 'attempts' | 'free' | 'log'>;

/**
 * @param parents ids of the jobs whose results these get.
 * @param onEnqueued called with their ids, in order.
 * @returns the jobs in the order in which they were given, in place of some a copy.
 * @throws SkeinError STEP_FAILED for the first one that does not succeed; the others are cancelled.
 */
export async function runAll(
  context: Context,
  given: readonly NewJobInput[],
  parents: readonly string[],
  onEnqueued?: (ids: readonly string[]) => void,
): Promise<TaskJob[]> {
  const { jobs } = context;
  const enqueued: TaskJob[] = [];
  for (let at = 0; at < given.length; at += CHUNK) {
    enqueued.push(...(await enqueueAfter(jobs, given.slice(at, at + CHUNK), parents)));
  }
  const ids = enqueued.map(({ id }) => id);
  onEnqueued?.(ids);
  // Jobs that failed before this attempt of the task began.
  await jobs.revive(enqueued.filter(({ state }) => hasFailed(state)).map(({ id }) => id));
  const ended = new Map<number, TaskJob>();
  /** Indexes by the ids of jobs that have not ended. */
  const open = new Map(ids.map((id, index) => [id, index]));
  const hasCopy = new Set<number>();
  let waiting: Promise<readonly TaskJob[]> | undefined;
  while (open.size > 0) {
    waiting ??= jobs.waitForAny([...open.keys()]);
    const found = await within(QUIET_MS, waiting);
    if (found === undefined) {
      const chosen = await chosenFor(context, given, ids, hasCopy).catch(() => []);
      for (const index of chosen) hasCopy.add(index);
      const copies = await enqueueAfter(
        jobs,
        chosen.map((index) => copyOf(given[index]!)),
        parents,
      ).catch(() => []);
      for (const [at, { id }] of copies.entries()) open.set(id, chosen[at]!);
      if (copies.length > 0) waiting = undefined;
      continue;
    }
    waiting = undefined;
    for (const job of found) {
      const index = open.get(job.id);
      // Its copy has ended first.
      if (index === undefined) continue;
      open.delete(job.id);
      const others = [...open].flatMap(([id, other]) => (other === index ? [id] : []));
      if (!hasFailed(job.state)) {
        ended.set(index, job);
        for (const id of others) open.delete(id);
        await jobs.cancel(others, `its copy, ${job.id}, has ended first`);
      } else if (others.length === 0) {
        await jobs.cancel([...open.keys()], `another one of them, ${job.id}, did not succeed`);
        throw new SkeinError(
          'STEP_FAILED',
          `Job ${job.id} did not succeed (${job.cause ?? 'error'}): ${job.message ?? 'no reason was given'}`,
        );
      }
    }
  }
  return ids.map((_, index) => ended.get(index)!);
}

/** @returns undefined where it takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  const late = sleep(ms, undefined, { signal: over.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
  }
}

/** @returns indexes of jobs that get a copy now. */
async function chosenFor(
  { attempts, free, log }: Context,
  given: readonly NewJobInput[],
  ids: readonly string[],
  hasCopy: ReadonlySet<number>,
): Promise<number[]> {
  const pieces = (await attempts(ids)).map((attempt, index): PieceRun => ({
    ...attempt,
    hasCopy: hasCopy.has(index) || given[index]!.cache !== true,
  }));
  const late = stragglers(pieces);
  const [first] = late;
  if (first === undefined) return [];
  // All jobs of a stage need the same.
  const { resources, requires } = validate(NewJob, given[first], 'job');
  const chosen = copied(late, pieces, resources, await free(requires));
  for (const index of chosen) {
    const { worker, ms = 0 } = pieces[index]!;
    log(
      `${given[index]!.name}: a second copy starts, because the job has run for ${Math.round(ms / 1000)} s on ${worker}, more than twice the median.`,
    );
  }
  return chosen;
}

function copyOf(job: NewJobInput): NewJobInput {
  return {
    ...job,
    name: `${job.name}, copy`,
    retry: { ...job.retry, maxAttempts: 1 },
    idempotencyKey: `${job.idempotencyKey}/copy`,
  };
}
