/**
 * Runs a pipeline: starts every step whose inputs are known, waits, and repeats until all steps
 * have ended or one has failed.
 *
 * It keeps no state of its own. The idempotency key of a step's job is made of the run and the
 * step, so a conductor that restarts gets the existing jobs, with the results of ended ones. A job
 * that failed before is revived; this is how a run resumes from its failed step.
 */
import { SkeinError, type NewJobInput } from '@skein/api';
import { hasFailed } from '@skein/api/job-states';
import type { TaskContext, TaskJob } from '../tasks/define-task.ts';
import { enqueueAfter } from '../tasks/enqueue-after.ts';
import { resolve, type Source } from './handle.ts';
import type { Pipeline, Step } from './pipeline.ts';

const DEFAULT_RESOURCES = { cores: 1, memoryBytes: 512 * 2 ** 20 };

interface Started {
  readonly step: Step;
  readonly jobs: readonly string[];
}

/** @throws Error naming the step whose job has not succeeded. */
export async function conduct(
  pipeline: Pipeline,
  input: unknown,
  context: TaskContext,
): Promise<unknown> {
  const values = new Map<string, unknown>();
  const started = new Map<string, Started>();
  const ended = new Map<string, TaskJob>();

  const valueOf =
    (element?: unknown) =>
    (source: Source): unknown => {
      if (source.kind === 'input') return input;
      return source.kind === 'step' ? values.get(source.step) : element;
    };

  function specsOf(step: Step): NewJobInput[] {
    const elements = step.over === undefined ? [undefined] : resolve(step.over, valueOf());
    if (!Array.isArray(elements)) {
      throw new Error(`It is to run over a list, but gets ${typeof elements}.`);
    }
    const single = step.over === undefined;
    return elements.map((element, index) =>
      jobOf(pipeline, step, valueOf(element), {
        name: single ? step.name : `${step.name} ${index + 1}/${elements.length}`,
        key: single ? step.name : `${step.name}/${index}`,
      }),
    );
  }

  async function start(step: Step): Promise<void> {
    let jobs: readonly TaskJob[] = [];
    let specs: NewJobInput[] | undefined;
    try {
      specs = specsOf(step);
      const before = step.after.flatMap((name) => started.get(name)?.jobs ?? []);
      if (specs.length > 0) jobs = await enqueueAfter(context.jobs, specs, before);
    } catch (error) {
      // The same values would be refused again; a store that is away is another matter.
      const isFinal =
        specs === undefined || (error instanceof SkeinError && error.row.kind === 'user');
      throw isFinal ? new StepFailure(step, `cannot start. ${(error as Error).message}`) : error;
    }
    // Jobs that failed before this attempt of the conductor began.
    const failed = jobs.filter(({ state }) => hasFailed(state)).map(({ id }) => id);
    await context.jobs.revive(failed);
    started.set(step.name, { step, jobs: jobs.map(({ id }) => id) });
    if (jobs.length === 0) values.set(step.name, []);
  }

  /** Takes the results of steps whose jobs have all succeeded. */
  function settle(): void {
    for (const [name, { step, jobs }] of started) {
      if (values.has(name)) continue;
      const results = jobs.map((id) => ended.get(id));
      const failure = results.find((job) => job !== undefined && hasFailed(job.state));
      if (failure !== undefined) throw new StepFailure(step, whyOf(failure));
      if (results.includes(undefined)) continue;
      const all = results.map((job) => step.work.valueOf(job!.result!));
      values.set(name, step.over === undefined ? all[0] : all);
    }
  }

  try {
    for (;;) {
      const due = pipeline.steps.filter(
        ({ name, after }) => !started.has(name) && after.every((each) => values.has(each)),
      );
      for (const step of due) await start(step);
      const open = [...started.values()].flatMap(({ jobs }) => jobs).filter((id) => !ended.has(id));
      if (open.length === 0 && values.size === pipeline.steps.length) break;
      if (open.length > 0) {
        for (const job of await context.jobs.waitForAny(open)) ended.set(job.id, job);
      }
      settle();
      context.progress(
        values.size / pipeline.steps.length,
        `${values.size} of ${pipeline.steps.length} steps`,
      );
    }
  } catch (error) {
    // The run has failed: the results of jobs that still run would be thrown away.
    if (error instanceof StepFailure) {
      const open = [...started.values()].flatMap(({ jobs }) => jobs).filter((id) => !ended.has(id));
      await context.jobs.cancel(open, `the run failed at step "${error.step}"`);
    }
    throw error;
  }
  try {
    return resolve(pipeline.returns, valueOf());
  } catch (error) {
    throw new SkeinError('STEP_FAILED', `The run has no result. ${(error as Error).message}`);
  }
}

/** Not retried automatically: the step has used up its attempts, or gets what it cannot take. */
class StepFailure extends SkeinError {
  readonly step: string;

  constructor(step: Step, why: string) {
    super('STEP_FAILED', `Step "${step.name}" ${why}`);
    this.step = step.name;
  }
}

function whyOf({ id, cause, message }: TaskJob): string {
  return `did not succeed (${cause ?? 'error'}): ${message ?? 'no reason was given'} Its job is ${id}.`;
}

function jobOf(
  { module }: Pipeline,
  { work, options }: Step,
  valueOf: (source: Source) => unknown,
  { name, key }: { name: string; key: string },
): NewJobInput {
  const { resources = DEFAULT_RESOURCES, limits = {}, attempts = 3, requires = [] } = options;
  return {
    name,
    work: work.work({ valueOf, module, limits }) as NewJobInput['work'],
    resources,
    requires: [...requires],
    retry: { maxAttempts: attempts, backoffMs: 1000, maxBackoffMs: 60_000 },
    cache: options.cache ?? true,
    idempotencyKey: key,
  };
}
