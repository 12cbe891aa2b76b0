/** `skein runs compare`: differences between two training runs, in settings, lineage and metrics. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Run } from '@skein/api';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { unwritable } from '@skein/api/file-errors';
import { argument, text } from '../../command-line/option.ts';
import { type Column, renderTable } from '../../output/table.ts';
import type { Style } from '../../output/style.ts';
import { trainingCurves } from '../../train/curves-svg.ts';
import { formatMetric } from '../../train/progress.ts';
import { findRun } from '../../train/runs.ts';
import { RUN_ARGUMENT } from './runs.ts';

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
    const same = 'Both were made of the same, in the same way.';
    const differing: Column<Comparison['differences'][number]>[] = [
      ['DIFFERS', ({ name }) => name],
      [a ?? '', (difference) => shown(difference.a)],
      [b ?? '', (difference) => shown(difference.b)],
      ['', () => ''],
    ];
    const measured: Column<Comparison['metrics'][number]>[] = [
      ['METRIC', ({ name }) => name],
      [a ?? '', ({ a, better }) => mark(formatMetric(a), better === 'a', style)],
      [b ?? '', ({ b, better }) => mark(formatMetric(b), better === 'b', style)],
      ['', () => ''],
    ];
    return [
      differences.length === 0 ? same : renderTable(differences, differing, style),
      renderTable(metrics, measured, style),
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

type Value = string | number | boolean | undefined;

interface Comparison {
  /** Settings and lineage in which the runs differ. */
  readonly differences: readonly { readonly name: string; readonly a: Value; readonly b: Value }[];
  /** Metrics of both runs, and which is better. */
  readonly metrics: readonly {
    readonly name: string;
    readonly a: number | undefined;
    readonly b: number | undefined;
    readonly better?: 'a' | 'b';
  }[];
}

/** Metrics of which a higher value is better; for all others, a lower value is. */
const MORE_IS_BETTER = new Set(['accuracy', 'macroF1', 'auc', 'r2']);

export function compareRuns(a: Run, b: Run): Comparison {
  const [ofA, ofB] = [choicesOf(a), choicesOf(b)];
  const names = [...new Set([...Object.keys(ofA), ...Object.keys(ofB)])];
  const differences = names
    .filter((name) => ofA[name] !== ofB[name])
    .map((name) => ({ name, a: ofA[name], b: ofB[name] }));
  const [fromA, fromB] = [numbersOf(a), numbersOf(b)];
  const measured = [...new Set([...Object.keys(fromA), ...Object.keys(fromB)])];
  const metrics = measured.map((name) => {
    const [first, second] = [fromA[name], fromB[name]];
    const better = betterOf(name, first, second);
    return { name, a: first, b: second, ...(better === undefined ? {} : { better }) };
  });
  return { differences, metrics };
}

function choicesOf({ plan, lineage, task }: Run): Readonly<Record<string, Value>> {
  const { data, parent, code, environment } = lineage;
  return {
    task,
    ...plan,
    ...Object.fromEntries(data.map(({ role, digest }) => [`${role} digest`, digest])),
    'parent digest': parent.digest,
    commit: code.commit,
    configuration: code.config,
    ...environment,
  };
}

function numbersOf({ epochs, result, steps }: Run): Readonly<Record<string, number>> {
  const report: Readonly<Record<string, unknown>> = result?.report ?? {};
  const reported = Object.entries(report).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  const loss = epochs.at(-1)?.loss;
  return {
    ...Object.fromEntries(reported),
    ...(loss === undefined ? {} : { trainingLoss: loss }),
    steps: steps.done,
    tookMs: epochs.reduce((sum, { tookMs }) => sum + tookMs, 0),
  };
}

function betterOf(
  name: string,
  a: number | undefined,
  b: number | undefined,
): 'a' | 'b' | undefined {
  if (a === undefined || b === undefined || a === b || name === 'steps' || name === 'rows') {
    return undefined;
  }
  return a > b === MORE_IS_BETTER.has(name) ? 'a' : 'b';
}
