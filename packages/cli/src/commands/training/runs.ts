/** `skein runs`: the training runs. */
import { RunStatus } from '@skein/api';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { argument, choice, flag, manyArguments, text } from '../../command-line/option.ts';
import { writeGivenFile } from '../../file.ts';
import { renderRun, renderRuns } from '../../output/run.ts';
import { trainingCurves } from '../../train/curves-svg.ts';
import { findRun, findRuns, removeRun } from '../../train/runs.ts';
import { watchRun } from '../../train/watch-run.ts';

export const runsLs = defineCommand({
  name: 'runs ls',
  summary: 'List the training runs, newest first.',
  details: 'Lists the runs of the data folder, and those that a running node holds.',
  examples: { 'skein runs ls --status interrupted': 'Runs that can be resumed' },
  arguments: {},
  options: {
    status: choice(RunStatus.options, 'List only runs with this status.'),
    ...connectionOptions,
  },
  async run(context, { status, ...options }) {
    const runs = await findRuns(context, options);
    return { runs: runs.filter((run) => status === undefined || run.status === status) };
  },
  render({ runs }, style) {
    if (runs.length > 0) return renderRuns(runs, style, Date.now());
    const command = 'skein train --model mlp:16 --data train.csv --label COLUMN';
    return `There are no runs. Try ${style.cyan(style.commands(command))}.`;
  },
});

export const RUN_ARGUMENT = 'Its id, the beginning of it, its name (then the newest), or last.';

export const runsShow = defineCommand({
  name: 'runs show',
  summary: 'Show a training run: epochs, report and lineage.',
  examples: {
    'skein runs show last': 'The newest run',
    'skein runs show last -f': 'Follow it to its end',
    'skein runs show risk --svg curves.svg': 'Its curves as a picture',
  },
  arguments: { run: argument('RUN', RUN_ARGUMENT) },
  options: {
    follow: flag('Print each epoch, and the recent loss, until the run ends.', { short: 'f' }),
    svg: text('FILE', 'Write the curves of loss and metrics into this file.'),
    ...connectionOptions,
  },
  async run(context, { run: wanted, follow, svg, ...options }) {
    const found = await findRun(context, options, wanted);
    if (follow) await watchRun(context, options, found.id);
    const run = follow ? await findRun(context, options, found.id) : found;
    if (svg === undefined) return { run };
    return { run, svg: await writeGivenFile(context.cwd, svg, trainingCurves([run])) };
  },
  render({ run, svg }, style) {
    const text = renderRun(run, style, Date.now());
    return svg === undefined ? text : `${text}\n\nThe curves are in ${svg}.`;
  },
});

export const runsRm = defineCommand({
  name: 'runs rm',
  summary: 'Remove training runs with their files; the versions that they became stay.',
  details: 'A run that is being trained is refused. What is removed cannot be resumed or deployed.',
  examples: { 'skein runs rm 20260314-risk-3f9c1e': 'The id is in skein runs ls' },
  arguments: {
    runs: manyArguments('RUN', 'Their ids, whole.', { required: true, completes: 'nothing' }),
  },
  options: connectionOptions,
  async run(context, { runs, ...options }) {
    for (const id of runs) await removeRun(context, options, id);
    return { removed: runs };
  },
  render: ({ removed }) => `${removed.join(', ')} ${removed.length === 1 ? 'is' : 'are'} removed.`,
});
