/** `skein pipeline graph`: draws a pipeline without running it. */
import { basename } from 'node:path';
import { defineCommand } from '../command.ts';
import { drawPipeline, loadPipeline } from '../jobs/pipeline.ts';
import { argument, text } from '../option.ts';

export const pipelineGraph = defineCommand({
  name: 'pipeline graph',
  summary: 'Draw the steps of a pipeline as an SVG, without running it.',
  examples: [{ command: 'skein pipeline graph report.ts --svg report.svg', does: 'Draw it' }],
  arguments: { file: argument('FILE', 'A .ts or .js module.', { completes: 'file' }) },
  options: {
    pipeline: text('NAME', 'Which one, when the module has several.'),
    svg: text('FILE', 'Where to write it; default: the module’s name.', { completes: 'file' }),
  },
  async run(context, { file, pipeline: name, svg }) {
    const pipeline = await loadPipeline(context.cwd, file, name);
    const target = svg ?? basename(file).replace(/\.[^.]+$/, '.svg');
    const written = await drawPipeline(context.cwd, target, pipeline);
    const steps = pipeline.steps.map(({ name: step, after }) => ({ name: step, after }));
    return { pipeline: pipeline.name, steps, svg: written };
  },
  render: ({ pipeline, steps, svg }, style) =>
    `${style.bold(pipeline)}: ${steps.length} steps, drawn in ${svg}`,
});
