/** `skein runs compare`: differences between two training runs, in settings, lineage and metrics. */
import type { Run } from '@skein/api';
import { compareRuns, type RunComparison, valueText } from '@skein/api/run-comparison';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { argument, text } from '../../command-line/option.ts';
import { writeGivenFile } from '../../file.ts';
import { type Column, renderTable } from '../../output/table.ts';
import type { Style } from '../../output/style.ts';
import { trainingCurves } from '../../train/curves-svg.ts';
import { formatMetric } from '../../train/progress.ts';
import { findRun } from '../../train/runs.ts';
import { RUN_ARGUMENT } from './runs.ts';

export interface Compared {
  readonly runs: readonly [Run, Run];
  readonly comparison: RunComparison;
  readonly svg?: string;
}

export const runsCompare = defineCommand({
  name: 'runs compare',
  summary: 'Compare two training runs: settings and lineage that differ, and the metrics of both.',
  examples: { 'skein runs compare risk last --svg both.svg': 'With their curves' },
  arguments: { first: argument('A', RUN_ARGUMENT), second: argument('B', 'The other run.') },
  options: {
    svg: text('FILE', 'Write the curves of both into this file.'),
    ...connectionOptions,
  },
  async run(context, { first, second, svg, ...options }): Promise<Compared> {
    const runs = [
      await findRun(context, options, first),
      await findRun(context, options, second),
    ] as const;
    const compared = { runs, comparison: compareRuns(...runs) };
    if (svg === undefined) return compared;
    return { ...compared, svg: await writeGivenFile(context.cwd, svg, trainingCurves(runs)) };
  },
  render({ runs, comparison: { differences, metrics }, svg }, style) {
    const [a, b] = runs.map(({ id }) => id);
    const same = 'Both runs have the same inputs and settings.';
    const differing: Column<RunComparison['differences'][number]>[] = [
      ['DIFFERS', ({ name }) => name],
      [a ?? '', (difference) => valueText(difference.a)],
      [b ?? '', (difference) => valueText(difference.b)],
      ['', () => ''],
    ];
    const measured: Column<RunComparison['metrics'][number]>[] = [
      ['METRIC', ({ name }) => name],
      [a ?? '', ({ a, better }) => mark(formatMetric(a), better === 'a', style)],
      [b ?? '', ({ b, better }) => mark(formatMetric(b), better === 'b', style)],
      ['', () => ''],
    ];
    return [
      differences.length === 0 ? same : renderTable(style, differences, differing),
      renderTable(style, metrics, measured),
      ...(svg === undefined ? [] : [`The curves are in ${svg}.`]),
    ].join('\n\n');
  },
});

function mark(value: string, better: boolean, style: Style): string {
  return better ? style.green(value) : value;
}
