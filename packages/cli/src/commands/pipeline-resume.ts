/** `skein pipeline resume`: continues from the step that failed. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { connectOrStart } from '../jobs/embedded.ts';
import { followPipeline } from '../jobs/pipeline.ts';
import { argument } from '../option.ts';
import { renderPipelineRun } from '../output/pipeline.ts';

export const pipelineResume = defineCommand({
  name: 'pipeline resume',
  summary: 'Continue a run from the step that failed; succeeded steps are not repeated.',
  examples: [{ command: 'skein pipeline resume RUN', does: 'After its cause is fixed' }],
  arguments: { run: argument('RUN', 'Id of the run.') },
  options: connectionOptions,
  async run(context, { run, ...choice }) {
    const connection = await connectOrStart(context, choice, true);
    context.onInterrupt(() => connection.close());
    try {
      await connection.client.reviveJob({ id: run }, { signal: context.signal });
      return await followPipeline(context, connection.client, run);
    } finally {
      await connection.close();
    }
  },
  render: renderPipelineRun,
  exitCode: ({ run }) => (run.state === 'succeeded' ? 0 : 1),
});
