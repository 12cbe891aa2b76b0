/** The messages between the thread of a task and its supervisor. */
import type { NewJobInput } from '@skein/api';
import { ERRORS, SkeinError, type ErrorCode } from '@skein/api/errors';
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

export interface WireFailure {
  readonly code: ErrorCode | undefined;
  readonly message: string;
}

export type FromThread =
  | { readonly kind: 'progress'; readonly fraction: number; readonly message: string }
  | { readonly kind: 'request'; readonly id: number; readonly request: TaskRequest }
  | TaskEnd;

/** The last message of a thread. */
export type TaskEnd =
  /** JSON of the output. */
  | { readonly kind: 'done'; readonly json: string }
  | {
      readonly kind: 'failed';
      readonly message: string;
      readonly retryable: boolean;
      /** Whether the task had been asked to stop. */
      readonly stopped: boolean;
    };

export type ToThread =
  | { readonly kind: 'stop' }
  | { readonly kind: 'answer'; readonly id: number; readonly value: TaskAnswer }
  | { readonly kind: 'refusal'; readonly id: number; readonly failure: WireFailure };

export function toWireFailure(thrown: unknown): WireFailure {
  return {
    code: thrown instanceof SkeinError ? thrown.code : undefined,
    message: thrown instanceof Error ? thrown.message : String(thrown),
  };
}

export function fromWireFailure({ code, message }: WireFailure): Error {
  return code !== undefined && code in ERRORS ? new SkeinError(code, message) : new Error(message);
}
