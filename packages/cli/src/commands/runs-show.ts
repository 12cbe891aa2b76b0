/** `skein runs show`: everything about one training run, and its curves as a picture. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { unwritable } from '../file.ts';
import { argument, flag, text } from '../option.ts';
import { renderRun } from '../output/run.ts';
import { trainingCurves } from '../train/curves-svg.ts';
import { findRun } from '../train/find-run.ts';
import { watchRun } from '../train/watch-run.ts';

export const RUN_ARGUMENT = 'Its id, the beginning of it, its name (then the newest), or last.';

export const runsShow = defineCommand({
  name: 'runs show',
  summary: 'Show a training run: epochs, report, and what it comes from.',
  examples: [
    { command: 'skein runs show last', does: 'The newest run' },
    { command: 'skein runs show last -f', does: 'Follow it to its end' },
    { command: 'skein runs show risk --svg curves.svg', does: 'Its curves as a picture' },
  ],
  arguments: { run: argument('RUN', RUN_ARGUMENT) },
  options: {
    follow: flag('Print each epoch, and the recent loss, until the run ends.', { short: 'f' }),
    svg: text('FILE', 'Write the curves of loss and metrics into this file.', {
      completes: 'file',
    }),
    ...connectionOptions,
  },
  async run(context, { run: wanted, follow, svg, ...options }) {
    const found = await findRun(context, options, wanted);
    if (follow) await watchRun(context, options, found.id);
    const run = follow ? await findRun(context, options, found.id) : found;
    if (svg === undefined) return { run };
    const path = resolve(context.cwd, svg);
    await writeFile(path, trainingCurves([run])).catch((error: unknown) => {
      throw unwritable(svg, error);
    });
    return { run, svg: path };
  },
  render({ run, svg }, style) {
    const text = renderRun(run, style, Date.now());
    return svg === undefined ? text : `${text}\n\nThe curves are in ${svg}.`;
  },
});
