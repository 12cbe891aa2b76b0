/** The messages between the thread of a task and its supervisor. */
import type { NewJobInput } from '@skein/api';
import type { TaskJob } from './task-jobs.ts';

export interface TaskThreadData {
  readonly modulePath: string;
  readonly task: string;
  readonly input: unknown;
  readonly job: string;
  readonly attempt: number;
  /** Digest of the state that an earlier attempt has saved. */
  readonly checkpoint: string | undefined;
  /** A folder of the attempt, for content that is to be stored. */
  readonly folder: string;
}

/** Requests of a task to its supervisor. */
export type TaskRequest =
  | { readonly ask: 'path'; readonly digest: string }
  | { readonly ask: 'put'; readonly file: string; readonly path: string | undefined }
  | { readonly ask: 'checkpoint'; readonly file: string }
  | { readonly ask: 'enqueue'; readonly jobs: readonly NewJobInput[] }
  | { readonly ask: 'wait'; readonly ids: readonly string[] }
  | { readonly ask: 'revive'; readonly ids: readonly string[] }
  | { readonly ask: 'cancel'; readonly ids: readonly string[]; readonly reason: string };

export type TaskAnswer = string | Stored | boolean | readonly TaskJob[];

export interface Stored {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** The calls that a supervisor serves to the thread. */
export type SupervisorCalls = {
  /** @throws the error that the task receives. */
  ask(request: TaskRequest): Promise<TaskAnswer>;
  progress(progress: { readonly fraction: number; readonly message: string }): void;
};

interface Spent {
  /** User plus system time of the thread, in milliseconds; undefined where Node cannot measure it. */
  readonly cpuMs: number | undefined;
}

export type TaskEnd =
  /** JSON of the output. */
  | (Spent & { readonly kind: 'done'; readonly json: string })
  | (Spent & {
      readonly kind: 'failed';
      readonly message: string;
      readonly retryable: boolean;
      /** Whether the task had been asked to stop. */
      readonly stopped: boolean;
    });
