/**
 * The API for authors of tasks. A task is trusted TypeScript that runs as a job: in a worker thread
 * of its own, with checked input and output, and with a context that writes everything through the
 * attempt's lease.
 *
 *     export const count = defineTask({
 *       name: 'count-lines',
 *       input: z.object({ digest: z.string() }),
 *       output: z.object({ lines: z.number() }),
 *       async run({ digest }, context) { … },
 *     });
 */
import type { z } from 'zod';
import type { TaskModule, TaskWork, WorkLimits } from '../work.ts';
import type { TaskJobs } from './task-jobs.ts';

export type { TaskJob } from './task-jobs.ts';

export interface TaskContext {
  /** Id of the job. */
  readonly job: string;
  /** Counts the attempts of the job from 1. */
  readonly attempt: number;
  /**
   * Aborted when the task should save a checkpoint and stop: the task then throws `signal.reason`.
   * A value that it returns instead still counts as its result. Its thread is ended after the grace
   * period of the worker, or at once on a cancel.
   */
  readonly signal: AbortSignal;
  /** @param fraction from 0 to 1. */
  readonly progress: (fraction: number, message?: string) => void;
  /** A line in the job's log, where `console` writes too. */
  readonly log: (line: string) => void;
  readonly artifacts: TaskArtifacts;
  /** A folder of this attempt alone, on the disk of the worker; removed when the attempt ends. */
  readonly folder: string;
  /** Enqueues further jobs, in the group of this one. */
  readonly jobs: TaskJobs;
  readonly checkpoint: {
    /** The state that an earlier attempt has saved; undefined when there is none. */
    readonly load: () => Promise<Uint8Array | undefined>;
    /** Replaces the saved state; kept as soon as it resolves. */
    readonly save: (content: Uint8Array) => Promise<void>;
  };
}

export interface TaskArtifacts {
  /** A local, verified copy, which must not be changed. @throws SkeinError ARTIFACT_CORRUPT. */
  readonly pathOf: (digest: string) => Promise<string>;
  /** @throws SkeinError ARTIFACT_CORRUPT. */
  readonly read: (digest: string) => AsyncIterable<Uint8Array>;
  /**
   * Stores content.
   * @param path lists it among the job's outputs under this name.
   * @throws SkeinError STORAGE_FULL.
   */
  readonly put: (
    content: Uint8Array | AsyncIterable<Uint8Array>,
    path?: string,
  ) => Promise<{ digest: string; sizeBytes: number }>;
}

export interface Task<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly kind: 'skein.task';
  /** Unique within its module. */
  readonly name: string;
  readonly input: I;
  /** The value of `run` must be JSON, of at most a megabyte; larger things are artifacts. */
  readonly output: O;
  /**
   * Does the work. Any error that it throws fails the attempt, which is then retried by the job's
   * retry policy; a SkeinError that requires another request ends the job.
   */
  run(input: z.output<I>, context: TaskContext): Promise<z.input<O>> | z.input<O>;
}

/** Types a task; a module exports the result under any name. */
export function defineTask<I extends z.ZodType, O extends z.ZodType>(
  task: Omit<Task<I, O>, 'kind'>,
): Task<I, O> {
  return { ...task, kind: 'skein.task' };
}

/**
 * The work of a job that runs a task.
 * @param module absolute path of the module that exports it, `import.meta.filename` of there; the
 * digest of the artifact that it was bundled into; or `offered`, for any worker that was started
 * with such a module, which the job then requires by the label `task:NAME`.
 */
export function taskWork<I extends z.ZodType, O extends z.ZodType>(
  task: Task<I, O>,
  module: string | TaskModule,
  input: z.input<I>,
  limits: WorkLimits = {},
): TaskWork {
  return {
    kind: 'task',
    task: task.name,
    module: typeof module === 'string' ? { path: module } : module,
    input,
    limits,
  };
}
