/** `skein pipeline show`: the steps of a run and their states. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { followPipeline, pipelineRunOf } from '../jobs/pipeline.ts';
import { argument, flag } from '../option.ts';
import { renderPipelineRun } from '../output/pipeline.ts';

export const pipelineShow = defineCommand({
  name: 'pipeline show',
  summary: 'Show how a run of a pipeline goes, step by step.',
  examples: [{ command: 'skein pipeline show RUN --watch', does: 'Until it has ended' }],
  arguments: { run: argument('RUN', 'Id of the run.') },
  options: { watch: flag('Wait until it has ended.'), ...connectionOptions },
  async run(context, { run, watch, ...choice }) {
    return withJobs(
      context,
      choice,
      (client) =>
        watch ? followPipeline(context, client, run) : pipelineRunOf(context, client, run),
      // Watching a pipeline runs it: without a node, this process does.
      watch ? { queues: ['default'] } : {},
    );
  },
  render: renderPipelineRun,
});
