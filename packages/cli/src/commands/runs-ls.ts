/** `skein runs ls`: the training runs of the data folder, and those that the node knows. */
import { RunStatus } from '@skein/api';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { choice } from '../option.ts';
import { renderRuns } from '../output/run.ts';
import { findRuns } from '../train/find-run.ts';

export const runsLs = defineCommand({
  name: 'runs ls',
  summary: 'List the training runs, newest first.',
  details: 'Runs of the data folder, whether a node runs or not, and those that the node knows.',
  examples: [{ command: 'skein runs ls --status interrupted', does: 'What could go on' }],
  arguments: {},
  options: { status: choice(RunStatus.options, 'Only these.'), ...connectionOptions },
  async run(context, { status, ...options }) {
    const runs = await findRuns(context, options);
    return { runs: runs.filter((run) => status === undefined || run.status === status) };
  },
  render({ runs }, style) {
    if (runs.length > 0) return renderRuns(runs, style, Date.now());
    const command = 'skein train --model mlp:16 --data train.csv --label COLUMN';
    return `There are no runs. Try ${style.cyan(command)}.`;
  },
});
