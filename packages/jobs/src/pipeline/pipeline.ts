/** A pipeline as it is defined: its steps, and the value that it returns. */
import type { z } from 'zod';
import type { Task } from '../tasks/define-task.ts';
import type { WorkLimits } from '../work.ts';
import type { Given } from './handle.ts';
import type { StepWork } from './step-work.ts';

export interface StepOptions {
  /** Default: the resources of `skein run`. */
  readonly resources?: { readonly cores: number; readonly memoryBytes: number };
  readonly limits?: WorkLimits;
  /** Attempts in all. Default 3. */
  readonly attempts?: number;
  /** Labels that the worker must have. */
  readonly requires?: readonly string[];
  /** Reuse the kept result of the same work over the same inputs. Default true. */
  readonly cache?: boolean;
}

export interface Step {
  readonly name: string;
  readonly work: StepWork<unknown>;
  /** The list that it is run over, once per element. */
  readonly over: Given<readonly unknown[]> | undefined;
  /** Steps whose values it needs, in the order of their definition. */
  readonly after: readonly string[];
  readonly options: StepOptions;
}

export interface Pipeline<
  I extends z.ZodType = z.ZodType,
  O extends z.ZodType = z.ZodType,
> extends Task<I, O> {
  readonly steps: readonly Step[];
  /** The run's return value. */
  readonly returns: Given<unknown>;
  /** Absolute path of the module that exports the pipeline and its tasks. */
  readonly module: string;
}
