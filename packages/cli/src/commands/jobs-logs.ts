/** `skein jobs logs`: the output of a job. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { followJob, rawOption } from '../jobs/follow.ts';
import { argument, flag, integer } from '../option.ts';
import { endText } from '../output/job.ts';

const PIECE_BYTES = 1024 * 1024;

export const jobsLogs = defineCommand({
  name: 'jobs logs',
  summary: 'Print what a job wrote to stdout and stderr.',
  examples: [
    { command: 'skein jobs logs -f ID', does: 'Follow it to its end' },
    { command: 'skein jobs logs ID --attempt 1', does: 'An earlier attempt' },
  ],
  arguments: { id: argument('ID', 'The job.') },
  options: {
    follow: flag('Go on until the job has ended; exits 1 when it fails.', { short: 'f' }),
    attempt: integer('N', 'Number of the attempt; default: the last.', { min: 1, max: 1000 }),
    raw: rawOption,
    ...connectionOptions,
  },
  async run(context, { id, follow, attempt, raw, ...choice }) {
    const output = raw ? 'raw' : 'guest';
    if (follow) {
      // Following a job runs it: without a node, this process does.
      const queues = ['default'];
      const job = await withJobs(
        context,
        choice,
        (client) => followJob(context, client, id, output),
        { queues },
      );
      return { job };
    }
    return withJobs(context, choice, async (client) => {
      let text = '';
      for (let offset = 0; ;) {
        const piece = await client.readJobLog(
          { id, offset, maxBytes: PIECE_BYTES, ...(attempt === undefined ? {} : { attempt }) },
          { signal: context.signal },
        );
        if (context.json) text += piece.text;
        else context.print(piece.text, output);
        if (piece.next === offset || piece.next >= piece.sizeBytes) return { text };
        offset = piece.next;
      }
    });
  },
  render: (found, style) => ('job' in found ? endText(found.job, style) : ''),
  exitCode: (found) => (!('job' in found) || found.job.state === 'succeeded' ? 0 : 1),
});
