/** `skein pipeline`: steps that are jobs. */
import { basename } from 'node:path';
import { hasEnded } from '@skein/api/job-states';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { givenJson } from '../../file.ts';
import { withJobs } from '../../jobs/embedded.ts';
import {
  countsText,
  drawPipeline,
  followPipeline,
  loadPipeline,
  pipelineRunOf,
  type PipelineRun,
} from '../../jobs/pipeline.ts';
import { argument, flag, text, withDefault } from '../../command-line/option.ts';
import { stateText, tookText } from '../../output/job.ts';
import { noteNext } from '../../output/notes.ts';
import type { Style } from '../../output/style.ts';
import { renderTable } from '../../output/table.ts';
import { usageError } from '../../command-line/usage.ts';

/** The job that conducts the pipeline only waits; it must not occupy the cores of a step. */
const CONDUCTOR = { cores: 0.05, memoryBytes: 128 * 2 ** 20 };

export const pipelineRun = defineCommand({
  name: 'pipeline run',
  summary: 'Run a pipeline: its steps are jobs, side by side where they can be.',
  details:
    'The module exports a pipeline, made with definePipeline of @skein/jobs/pipeline. The run is a job itself and survives the death of any process. Ctrl-C cancels it; --detach leaves it to the node. A step whose work and inputs have not changed takes its kept result.',
  examples: {
    'skein pipeline run report.ts --input \'{"file":"data.csv"}\'': 'Run it',
    'skein pipeline run report.ts --svg run.svg': 'With a picture of the run',
  },
  arguments: { file: argument('FILE', 'A .ts or .js module.') },
  options: {
    pipeline: text('NAME', 'Pipeline to run, when the module has several.'),
    input: text('JSON', 'Input of the pipeline, or @FILE.json. Default {}.'),
    queue: withDefault(text('NAME', 'Queue of the run and of its steps.'), 'default'),
    svg: text('FILE', 'Write a picture of the run.'),
    detach: flag('Print the id of the run and leave.'),
    ...connectionOptions,
  },
  async run(context, { file, detach, queue, svg, input, ...options }) {
    const pipeline = await loadPipeline(context.cwd, file, options.pipeline);
    const given = await givenJson(context.cwd, input ?? '{}', '--input');
    const checked = pipeline.input.safeParse(given);
    if (!checked.success) {
      const [issue] = checked.error.issues;
      throw usageError(`--input: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is wrong'}.`);
    }
    // Before the run starts, so that its result is not lost for a picture that cannot be written.
    if (svg !== undefined) await drawPipeline(context.cwd, svg, pipeline);
    return withJobs(
      context,
      { ...options, mayStart: !detach, queues: [queue] },
      async (client, submit) => {
        const { id } = await submit({
          queue,
          name: pipeline.name,
          work: {
            kind: 'task',
            task: pipeline.name,
            module: { path: pipeline.module },
            input: given,
          },
          resources: CONDUCTOR,
          // A run may outlive many nodes; it never retries a failed step.
          retry: { maxAttempts: 1000, backoffMs: 1000, maxBackoffMs: 60_000 },
        });
        if (detach) noteNext(context.notes, `Look at it: skein pipeline show ${id}`);
        const found = await (detach ? pipelineRunOf : followPipeline)(context, client, id);
        const drawn =
          svg === undefined ? {} : { svg: await drawPipeline(context.cwd, svg, pipeline, found) };
        return { ...found, ...drawn };
      },
    );
  },
  render: (found, style) =>
    hasEnded(found.run.state) ? renderPipelineRun(found, style) : found.run.id,
  exitCode: ({ run }) => (hasEnded(run.state) && run.state !== 'succeeded' ? 1 : 0),
});

export const pipelineShow = defineCommand({
  name: 'pipeline show',
  summary: 'Show the progress of a pipeline run, step by step.',
  examples: { 'skein pipeline show RUN --watch': 'Until it has ended' },
  arguments: { run: argument('RUN', 'Id of the run.') },
  options: { watch: flag('Wait until it has ended.'), ...connectionOptions },
  async run(context, { run, watch, ...choice }) {
    // Watching a pipeline runs it: without a node, this process does.
    return withJobs(context, { ...choice, ...(watch ? { queues: ['default'] } : {}) }, (client) =>
      watch ? followPipeline(context, client, run) : pipelineRunOf(context, client, run),
    );
  },
  render: renderPipelineRun,
});

export const pipelineResume = defineCommand({
  name: 'pipeline resume',
  summary: 'Continue a run from the step that failed; succeeded steps are not repeated.',
  examples: { 'skein pipeline resume RUN': 'After its cause is fixed' },
  arguments: { run: argument('RUN', 'Id of the run.') },
  options: connectionOptions,
  async run(context, { run, ...choice }) {
    return withJobs(context, { ...choice, mayStart: true, queues: ['default'] }, async (client) => {
      await client.reviveJob({ id: run });
      return followPipeline(context, client, run);
    });
  },
  render: renderPipelineRun,
  exitCode: ({ run }) => (run.state === 'succeeded' ? 0 : 1),
});

export const pipelineGraph = defineCommand({
  name: 'pipeline graph',
  summary: 'Draw the steps of a pipeline as an SVG, without running it.',
  examples: { 'skein pipeline graph report.ts --svg report.svg': 'Draw it' },
  arguments: { file: argument('FILE', 'A .ts or .js module.') },
  options: {
    pipeline: text('NAME', 'Pipeline to run, when the module has several.'),
    svg: text('FILE', 'File to write; default: the module’s name.'),
  },
  async run(context, { file, pipeline: name, svg }) {
    const pipeline = await loadPipeline(context.cwd, file, name);
    const target = svg ?? basename(file).replace(/\.[^.]+$/, '.svg');
    const written = await drawPipeline(context.cwd, target, pipeline);
    const steps = pipeline.steps.map(({ name: step, after }) => ({ name: step, after }));
    return { pipeline: pipeline.name, steps, svg: written };
  },
  render: ({ pipeline, steps, svg }, style) =>
    `${style.bold(pipeline)}: ${steps.length} ${steps.length === 1 ? 'step' : 'steps'}, drawn in ${svg}`,
});

function renderPipelineRun({ run, steps }: PipelineRun, style: Style): string {
  const head = `${style.bold(run.name)} ${stateText(run.state, style)} ${style.dim(`${tookText(run, Date.now())}, run ${run.id}`)}`;
  const table = renderTable(style, steps, [
    ['STEP', ({ name }) => name],
    ['JOBS', ({ counts }) => countsText(counts)],
    [
      'NOTE',
      ({ failure }) =>
        failure === undefined ? '' : `${failure.message} (skein jobs logs ${failure.job})`,
    ],
  ]);
  const value = run.result?.value;
  return [
    head,
    ...(steps.length === 0 ? [] : [table]),
    ...(run.state === 'succeeded' ? [`${style.dim('returned')} ${JSON.stringify(value)}`] : []),
    ...(run.state === 'failed' || run.state === 'dead'
      ? [
          run.message ?? '',
          style.dim(style.commands(`Fix the cause, then: skein pipeline resume ${run.id}`)),
        ]
      : []),
  ].join('\n');
}
