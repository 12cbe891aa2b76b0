/** `skein runs compare`: differences between two training runs, in settings, lineage and metrics. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Run } from '@skein/api';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { unwritable } from '../file.ts';
import { argument, text } from '../option.ts';
import { renderTable } from '../output/table.ts';
import type { Style } from '../output/style.ts';
import { compareRuns, type Comparison } from '../train/compare.ts';
import { trainingCurves } from '../train/curves-svg.ts';
import { findRun } from '../train/find-run.ts';
import { formatMetric } from '../train/progress.ts';
import { RUN_ARGUMENT } from './runs-show.ts';

export interface Compared {
  readonly runs: readonly [Run, Run];
  readonly comparison: Comparison;
  readonly svg?: string;
}

export const runsCompare = defineCommand({
  name: 'runs compare',
  summary: 'Compare two training runs: settings and lineage that differ, and the metrics of both.',
  examples: [{ command: 'skein runs compare risk last --svg both.svg', does: 'With their curves' }],
  arguments: { first: argument('A', RUN_ARGUMENT), second: argument('B', 'The other run.') },
  options: {
    svg: text('FILE', 'Write the curves of both into this file.', { completes: 'file' }),
    ...connectionOptions,
  },
  async run(context, { first, second, svg, ...options }): Promise<Compared> {
    const runs = [
      await findRun(context, options, first),
      await findRun(context, options, second),
    ] as const;
    const compared = { runs, comparison: compareRuns(...runs) };
    if (svg === undefined) return compared;
    const path = resolve(context.cwd, svg);
    await writeFile(path, trainingCurves(runs)).catch((error: unknown) => {
      throw unwritable(svg, error);
    });
    return { ...compared, svg: path };
  },
  render({ runs, comparison: { differences, metrics }, svg }, style) {
    const [a, b] = runs.map(({ id }) => id);
    const table = (title: string, rows: readonly (readonly string[])[]) =>
      renderTable([{ title }, { title: a ?? '' }, { title: b ?? '' }, { title: '' }], rows, style);
    return [
      differences.length === 0
        ? 'Both were made of the same, in the same way.'
        : table(
            'DIFFERS',
            differences.map(({ name, a, b }) => [name, shown(a), shown(b), '']),
          ),
      table(
        'METRIC',
        metrics.map(({ name, a, b, better }) => [
          name,
          mark(formatMetric(a), better === 'a', style),
          mark(formatMetric(b), better === 'b', style),
          '',
        ]),
      ),
      ...(svg === undefined ? [] : [`The curves are in ${svg}.`]),
    ].join('\n\n');
  },
});

function shown(value: string | number | boolean | undefined): string {
  if (value === undefined) return '–';
  // The beginning of a digest identifies it.
  return /^[0-9a-f]{64}$/.test(String(value)) ? `${String(value).slice(0, 12)}…` : String(value);
}

function mark(value: string, better: boolean, style: Style): string {
  return better ? style.green(value) : value;
}
