/** Pipelines of the command line: found in a module, followed by their group, drawn. */
import type { JobState, JobView } from '@skein/api';
import { hasEnded } from '@skein/api/job-states';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { importUserModule } from '@skein/api/user-modules';
import type { Pipeline } from '@skein/jobs/pipeline';
import type { GraphStep } from '@skein/jobs/pipeline-graph';
import type { Context } from '../command-line/command.ts';
import { givenFile, writeGivenFile } from '../file.ts';
import { pause } from '../pause.ts';
import { usageError } from '../command-line/usage.ts';

const POLL_MS = 300;
const PAGE = 1000;

/** Imports a module of this machine and picks its pipeline. */
export async function loadPipeline(
  cwd: string,
  file: string,
  name: string | undefined,
): Promise<Pipeline> {
  const { isPipeline } = await import('@skein/jobs/pipeline');
  const { path } = await givenFile(cwd, file);
  const module = await importModule(path);
  const found = Object.values(module).filter(isPipeline);
  const chosen = found.filter((pipeline) => name === undefined || pipeline.name === name);
  const names = found.map((pipeline) => pipeline.name).join(', ');
  if (found.length === 0) throw usageError(`${file} exports nothing made with definePipeline(…).`);
  if (chosen.length === 0) throw usageError(`${file} has no pipeline "${name}"; it has: ${names}.`);
  const [pipeline, other] = chosen;
  if (pipeline === undefined || other !== undefined) {
    throw usageError(`${file} has several pipelines; choose one with --pipeline: ${names}.`);
  }
  return pipeline;
}

async function importModule(path: string): Promise<Record<string, unknown>> {
  try {
    return await importUserModule(path, import.meta.url);
  } catch (error) {
    throw new SkeinError(
      'FILE_UNREADABLE',
      `${path} cannot be imported: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

export interface PipelineRun {
  /** The job that conducts the run. */
  readonly run: JobView;
  readonly steps: readonly StepProgress[];
}

export interface StepProgress {
  readonly name: string;
  readonly counts: Readonly<Partial<Record<JobState, number>>>;
  /** Failure of the first job that has failed. */
  readonly failure?: { readonly job: string; readonly message: string };
}

/** The current state of the run, from the jobs of its group. */
export async function pipelineRunOf(
  context: Context,
  client: Client,
  id: string,
): Promise<PipelineRun> {
  const { signal } = context;
  const run = await client.getJob({ id }, { signal });
  const steps = new Map<string, { counts: Partial<Record<JobState, number>>; failed?: JobView }>();
  for (let after: string | undefined; ;) {
    const page = await client.listJobs(
      { group: id, limit: PAGE, ...(after === undefined ? {} : { after }) },
      { signal },
    );
    // Newest first.
    for (const job of page.jobs) {
      const name = job.name.replace(/ \d+\/\d+$/, '');
      const step = steps.get(name) ?? { counts: {} };
      step.counts[job.state] = (step.counts[job.state] ?? 0) + 1;
      if (job.state === 'failed' || job.state === 'dead') step.failed = job;
      steps.delete(name);
      steps.set(name, step);
    }
    if (page.next === undefined) break;
    after = page.next;
  }
  return {
    run,
    steps: [...steps].reverse().map(([name, { counts, failed }]) => ({
      name,
      counts,
      ...(failed === undefined
        ? {}
        : { failure: { job: failed.id, message: failed.message ?? failed.cause ?? '' } }),
    })),
  };
}

/** Shows the progress of a run until it has ended. */
export async function followPipeline(
  context: Context,
  client: Client,
  id: string,
): Promise<PipelineRun> {
  const reported = new Set<string>();
  for (;;) {
    const found = await pipelineRunOf(context, client, id);
    for (const { name, counts } of found.steps) {
      if (!isDone(counts) || reported.has(name)) continue;
      reported.add(name);
      context.notes.line(`  ${context.notes.style.green('✓')} ${name}`);
    }
    const open = found.steps.find(({ counts }) => !isDone(counts));
    if (open !== undefined) context.notes.progress(`  ${open.name}: ${countsText(open.counts)}`);
    if (hasEnded(found.run.state)) return found;
    await pause(POLL_MS, context.signal);
  }
}

export function countsText(counts: StepProgress['counts']): string {
  return Object.entries(counts)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
}

function isDone(counts: StepProgress['counts']): boolean {
  return Object.keys(counts).every((state) => state === 'succeeded');
}

/** Draws a pipeline, with the states of a run where there is one. @returns the path written. */
export async function drawPipeline(
  cwd: string,
  file: string,
  pipeline: Pipeline,
  run?: PipelineRun,
): Promise<string> {
  const { pipelineSvg } = await import('@skein/jobs/pipeline-graph');
  const steps = pipeline.steps.map((step): GraphStep => {
    const progress = run?.steps.find(({ name }) => name === step.name);
    return {
      name: step.name,
      title: step.work.title === step.name ? '' : step.work.title,
      after: step.after,
      fansOut: step.over !== undefined,
      ...(progress === undefined ? {} : { counts: progress.counts }),
    };
  });
  return writeGivenFile(cwd, file, pipelineSvg(pipeline.name, steps));
}
