/**
 * Pipelines: steps that are jobs. The results of steps are the inputs of later steps.
 *
 *     export const report = definePipeline({
 *       name: 'report',
 *       module: import.meta.filename,
 *       input: z.object({ file: z.string() }),
 *       steps({ input, step, each }) {
 *         const parts = step('split', run(split, { file: input.file }));
 *         const counts = each('count', parts.shards, (shard) => run(count, { digest: shard }));
 *         return step('sum', run(sum, { counts }));
 *       },
 *     });
 *
 * A pipeline is a task too: the job that runs it starts the jobs of its steps and waits for them.
 * When that job fails it is retried like any other, finds the steps that have ended, and continues.
 * A failed run resumes from its failed step the same way.
 */
import type { z } from 'zod';
import { conduct } from './conduct.ts';
import { handle, sourcesIn, type Given, type Handle } from './handle.ts';
import type { StepWork } from './step-work.ts';
import type { StepOptions, Step, Pipeline } from './pipeline.ts';

export interface StepBuilder<Input> {
  readonly input: Handle<Input>;
  /** One job. @returns a handle of its result. */
  readonly step: <Output>(
    name: string,
    work: StepWork<Output>,
    options?: StepOptions,
  ) => Handle<Output>;
  /**
   * One job per element of a list, side by side. @returns handles of their results, in the list's
   * order.
   */
  readonly each: <Element, Output>(
    name: string,
    list: Given<readonly Element[]>,
    work: (element: Handle<Element>) => StepWork<Output>,
    options?: StepOptions,
  ) => Handle<Output[]>;
}

export interface PipelineDefinition<I extends z.ZodType, O extends z.ZodType> {
  readonly name: string;
  /** `import.meta.filename` of the module that exports the pipeline and its tasks. */
  readonly module: string;
  readonly input: I;
  /** The run's return value, checked. */
  readonly output: O;
  steps(builder: StepBuilder<z.output<I>>): Given<z.input<O>>;
}

/** @throws Error when two steps have one name. */
export function definePipeline<I extends z.ZodType, O extends z.ZodType>(
  definition: PipelineDefinition<I, O>,
): Pipeline<I, O> {
  const steps: Step[] = [];
  const add = (step: Omit<Step, 'after'>): void => {
    if (steps.some(({ name }) => name === step.name)) {
      throw new Error(`Pipeline "${definition.name}" has two steps called "${step.name}".`);
    }
    const needed = new Set(
      sourcesIn([step.work.given, step.over]).flatMap((source) =>
        source.kind === 'step' ? [source.step] : [],
      ),
    );
    const after = steps.map(({ name }) => name).filter((name) => needed.has(name));
    steps.push({ ...step, after });
  };
  const returned = definition.steps({
    input: handle({ kind: 'input' }),
    step(name, work, options = {}) {
      add({ name, work, over: undefined, options });
      return handle({ kind: 'step', step: name });
    },
    each(name, over, work, options = {}) {
      add({ name, work: work(handle({ kind: 'element', of: name })), over, options });
      return handle({ kind: 'step', step: name });
    },
  });
  const { name, module, input, output } = definition;
  const pipeline: Pipeline<I, O> = {
    kind: 'skein.task',
    name,
    module,
    input,
    output,
    steps,
    returns: returned,
    run: (given, context) => conduct(pipeline, given, context) as Promise<z.input<O>>,
  };
  return pipeline;
}

export function isPipeline(value: unknown): value is Pipeline {
  const { kind, steps } = (value ?? {}) as Partial<Pipeline>;
  return kind === 'skein.task' && Array.isArray(steps);
}

export { command, run } from './step-work.ts';
export type { Pipeline } from './pipeline.ts';
