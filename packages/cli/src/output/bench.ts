/** The result of a benchmark as text. */
import type { Capacity, Overload } from '@skein/load';
import type { LoadReport } from '@skein/load';
import { formatDuration, formatNumber, formatRate, formatShare } from '@skein/api/units';
import type { Style } from './style.ts';
import { type Field, renderFields, renderTable } from './table.ts';

export type Protocol = 'binary' | 'json' | 'grpc';

export interface BenchResult {
  readonly deployment: string;
  readonly protocol: Protocol;
  readonly objectiveMs: number;
  readonly quantile: number;
  /** At `--rate`. */
  readonly at?: LoadReport;
  readonly capacity?: Pick<Capacity<LoadReport>, 'rate' | 'brokenAt' | 'points'>;
  readonly overload?: Overload;
  /** The file that the curve was drawn into. */
  readonly svg?: string;
}

export function renderBench(result: BenchResult, style: Style): string {
  const { capacity, overload, at } = result;
  const promise = `${formatShare(result.quantile)} within ${formatDuration(result.objectiveMs)}`;
  const sections = [
    `${style.bold(result.deployment)}  ${style.dim(`${promise}, ${result.protocol}`)}`,
  ];
  if (at !== undefined)
    sections.push(renderFields(style, reportFields(at)), ...warnings([at], style));
  if (capacity !== undefined) {
    sections.push(
      pointsTable(capacity.points, style),
      capacity.rate > 0
        ? `${style.green(formatRate(capacity.rate))} is the highest rate inside the objective${capacity.brokenAt === undefined ? ' that was tried' : `; ${formatRate(capacity.brokenAt)} is not`}.`
        : style.red('No rate that was tried is inside the objective.'),
      ...warnings(
        capacity.points.filter((point) => point.rate <= capacity.rate).map((point) => point.report),
        style,
      ),
    );
  }
  if (overload !== undefined) {
    const fields: Field[] = [
      ['goodput / capacity', formatShare(overload.goodputShare)],
      [
        'p99 / objective',
        overload.admittedP99Ratio === null ? '–' : formatNumber(overload.admittedP99Ratio),
      ],
      ...reportFields(overload.report),
    ];
    sections.push(
      `${style.bold(`${formatNumber(overload.factor)}× the capacity`)}\n${renderFields(style, fields)}`,
      ...warnings([overload.report], style),
    );
  }
  if (result.svg !== undefined) sections.push(`The curve is in ${style.cyan(result.svg)}.`);
  return sections.join('\n\n');
}

function reportFields(report: LoadReport): Field[] {
  const { latency } = report;
  const refused = counts(report.refused);
  return [
    [
      'sent',
      `${report.sent} in ${formatDuration(report.durationMs)}, ${formatRate(report.sentPerSecond)}`,
    ],
    ['answered', `${report.answered}, ${formatRate(report.answeredPerSecond)}`],
    [
      'goodput',
      `${formatRate(report.goodputPerSecond)}, ${formatShare(report.attainment)} of all inside the objective`,
    ],
    [
      'latency',
      `p50 ${formatDuration(latency.p50Ms)}  p90 ${formatDuration(latency.p90Ms)}  p99 ${formatDuration(latency.p99Ms)}  p99.9 ${formatDuration(latency.p999Ms)}  max ${formatDuration(latency.maxMs)}`,
    ],
    [
      'refused',
      refused &&
        `${refused}; refused after p50 ${formatDuration(report.refusal.p50Ms)}, p99 ${formatDuration(report.refusal.p99Ms)}`,
    ],
    ['failed', counts(report.failed)],
  ];
}

interface Point {
  readonly rate: number;
  readonly report: LoadReport;
  readonly carried: boolean;
}

function pointsTable(points: readonly Point[], style: Style): string {
  return renderTable(style, points, [
    ['RATE', ({ rate }) => formatRate(rate), 'right'],
    ['GOODPUT', ({ report }) => formatRate(report.goodputPerSecond), 'right'],
    ['IN TIME', ({ report }) => formatShare(report.attainment), 'right'],
    ['P50', ({ report }) => formatDuration(report.latency.p50Ms), 'right'],
    ['P90', ({ report }) => formatDuration(report.latency.p90Ms), 'right'],
    ['P99', ({ report }) => formatDuration(report.latency.p99Ms), 'right'],
    ['P99.9', ({ report }) => formatDuration(report.latency.p999Ms), 'right'],
    ['REFUSED', ({ report }) => formatShare(refusedShare(report)), 'right'],
    ['', ({ carried }) => (carried ? style.green('ok') : style.red('over'))],
  ]);
}

function refusedShare({ sent, refused }: LoadReport): number | null {
  if (sent === 0) return null;
  return Object.values(refused).reduce((sum, count) => sum + count, 0) / sent;
}

/** Conditions that make the numbers unreliable. */
function warnings(reports: readonly LoadReport[], style: Style): string[] {
  const behind = reports.find((report) => report.generator.fellBehind);
  if (behind === undefined) return [];
  const { sendDelay, busyShare } = behind.generator;
  return [
    style.yellow(
      `The generator fell behind: p99 of its sends left ${formatDuration(sendDelay.p99Ms)} late, ${formatShare(busyShare)} busy. The latencies are too high by that; give it --threads, or a machine of its own.`,
    ),
  ];
}

/** Undefined where there are none. */
function counts(of: Readonly<Record<string, number>>): string | undefined {
  const all = Object.entries(of)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');
  return all === '' ? undefined : all;
}
