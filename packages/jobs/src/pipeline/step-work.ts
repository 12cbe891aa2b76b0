/**
 * The work of a step, a task or a command in a sandbox, with handles in the place of values that
 * are not known yet.
 */
import type { z } from 'zod';
import type { Task } from '../tasks/define-task.ts';
import type { CommandWork, TaskWork, WorkLimits, WorkResult } from '../work.ts';
import { resolve, type Given, type Source } from './handle.ts';

export interface StepWork<Output> {
  readonly kind: 'task' | 'command';
  /** Its label in a picture. */
  readonly title: string;
  /** The values that may contain handles. */
  readonly given: Given<unknown>;
  work(context: {
    readonly valueOf: (source: Source) => unknown;
    /** Module of the pipeline. */
    readonly module: string;
    readonly limits: WorkLimits;
  }): TaskWork | CommandWork;
  /** Reads the result of a step from its job. */
  valueOf(result: WorkResult): Output;
}

/**
 * Runs a task.
 * @param options.module where the task is exported, when that is not the pipeline's module.
 */
export function run<I extends z.ZodType, O extends z.ZodType>(
  task: Task<I, O>,
  input: Given<z.input<I>>,
  options: { readonly module?: string } = {},
): StepWork<z.output<O>> {
  return {
    kind: 'task',
    title: task.name,
    given: input,
    work: ({ valueOf, module, limits }) => ({
      kind: 'task',
      task: task.name,
      module: { path: options.module ?? module },
      input: resolve(input, valueOf),
      limits,
    }),
    valueOf: ({ value }) => value as z.output<O>,
  };
}

/** Digests of the outputs that a command declared, by path. */
export type CommandOutputs<Path extends string> = { readonly [P in Path]: string };

export interface CommandStep<Path extends string> {
  readonly argv: readonly Given<string>[];
  readonly env?: Readonly<Record<string, Given<string>>>;
  /** Digests of artifacts by the path at which the command finds them. */
  readonly inputs?: Readonly<Record<string, Given<string>>>;
  readonly outputs: readonly Path[];
  readonly image?: string;
  readonly trusted?: boolean;
}

/** Runs a command in a sandbox. */
export function command<const Path extends string>(
  given: CommandStep<Path>,
): StepWork<CommandOutputs<Path>> {
  const { argv, env = {}, inputs = {}, outputs, image, trusted } = given;
  return {
    kind: 'command',
    title: argv.filter((word) => typeof word === 'string').join(' '),
    given: [argv, env, inputs],
    work: ({ valueOf, limits }) => ({
      kind: 'command',
      argv: argv.map((word) => resolve(word, valueOf)),
      env: resolve<Record<string, string>>(env, valueOf),
      inputs: Object.entries(resolve<Record<string, string>>(inputs, valueOf)).map(
        ([path, digest]) => ({ path, digest }),
      ),
      outputs: outputs.map((path) => ({ path })),
      ...(image === undefined ? {} : { image }),
      ...(trusted === undefined ? {} : { trusted }),
      limits,
    }),
    valueOf: (result) =>
      Object.fromEntries(
        result.outputs.map(({ path, digest }) => [path, digest]),
      ) as CommandOutputs<Path>,
  };
}
