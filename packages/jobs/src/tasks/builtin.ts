/**
 * Tasks of Skein itself that a worker runs without a thread for each attempt: they ask DuckDB's
 * processes and the store, wait, and compute next to nothing themselves.
 */
import type { Ask } from '@skein/data';
import type { RemoteAccess, RemoteFile } from '@skein/data/data-set';
import type { z } from 'zod';
import type { WorkerView } from '../contract.ts';
import type { RemoteCopy } from '../map/remote/copies.ts';
import type { FreeWorker, PieceRun } from '../map/stragglers.ts';
import type { TaskArtifacts, TaskContext } from './define-task.ts';

type Stored = Awaited<ReturnType<TaskArtifacts['put']>>;

export interface BuiltinContext extends Omit<TaskContext, 'artifacts' | 'checkpoint'> {
  readonly artifacts: Pick<TaskArtifacts, 'pathOf'> & {
    /** @param path lists it among the job's outputs under this name. @throws SkeinError STORAGE_FULL. */
    readonly put: (content: Uint8Array, path?: string) => Promise<Stored>;
    /** @throws SkeinError STORAGE_FULL. */
    readonly putFile: (file: string) => Promise<Stored>;
  };
  /** A copy of a remote file, for as long as the attempt runs. @throws SkeinError SOURCE_…. */
  readonly remote: (file: RemoteFile, access: RemoteAccess) => Promise<RemoteCopy>;
  /** DuckDB in a process of the job's tenant; ends with the attempt. */
  readonly ask: Ask;
  /** Workers that take jobs of this job's queue. */
  readonly workers: () => Promise<readonly WorkerView[]>;
  /** The last attempt of each job, by the store's clock. */
  readonly attempts: (ids: readonly string[]) => Promise<readonly Omit<PieceRun, 'hasCopy'>[]>;
  /** The capacity that is left of workers with these labels that take jobs of this job's queue. */
  readonly free: (labels: readonly string[]) => Promise<readonly FreeWorker[]>;
  /** How far jobs are, each from 0 to 1. */
  readonly fractions: (ids: readonly string[]) => Promise<readonly number[]>;
}

export interface Builtin<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly input: I;
  readonly output: O;
  /** It waits for other jobs, and takes no cores from them. */
  readonly waits?: true;
  /** Default: true. False where its result depends on more than its input. */
  readonly isKept?: boolean;
  run(input: z.output<I>, context: BuiltinContext): Promise<z.input<O>>;
}

/** Types a task. */
export const defineBuiltin = <I extends z.ZodType, O extends z.ZodType>(
  task: Builtin<I, O>,
): Builtin<I, O> => task;
