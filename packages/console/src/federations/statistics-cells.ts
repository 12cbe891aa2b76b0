/** The counts of a federation as the cells of tables and the points of a chart. */
import type { FederationStatistics } from '@skein/api';
import { type ChartLine, metric } from '@skein/ui';

type TableReport = FederationStatistics['report'][number];
type ScoredPart = TableReport['scored'][number];
type ColumnPart = TableReport['columns'][number]['parts'][number];

export const SCORED = [
  'Rows of',
  'Rows',
  'AUC',
  'Sensitivity',
  'Specificity',
  'PPV',
  'Calibration error',
  'Brier',
  'Temperature',
  '1 − p at most',
];

const NONE = '–';

/** A count that is too small is not given. */
export const rowsText = (rows: number | null): string =>
  rows === null ? '< 10' : rows.toLocaleString('en');

const within = (value: number | undefined, deviation: number | undefined): string =>
  value === undefined ? NONE : `${value.toFixed(3)} ±${(deviation ?? 0).toFixed(2)}`;

/** @returns the cells after the name, in the order of `SCORED`. */
export function scoredCells(part: ScoredPart): string[] {
  const { rows, ranking, decisions, calibration, temperature, quantile } = part;
  return [
    rowsText(rows),
    within(ranking?.auc, ranking?.deviation),
    within(decisions?.sensitivity, decisions?.deviations.sensitivity),
    within(decisions?.specificity, decisions?.deviations.specificity),
    within(decisions?.ppv, decisions?.deviations.ppv),
    calibration?.error.toFixed(3) ?? NONE,
    within(calibration?.brier, calibration?.deviation),
    temperature?.temperature.toFixed(2) ?? NONE,
    quantile?.quantile.toFixed(3) ?? NONE,
  ];
}

/** Quantiles of a column of numbers, or rows by category; then the drift, where sites are apart. */
export function cellsOf(parts: readonly ColumnPart[]): {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  const [first] = parts;
  const levels = first?.quantiles ?? [];
  const isNumeric = levels.length > 0;
  const values = isNumeric
    ? levels.map(({ level }) => `${metric(100 * level)} %`)
    : (first?.counts ?? []).map(({ name }) => name);
  const hasSites = parts.some(({ kind }) => kind === 'site');
  return {
    titles: ['Rows of', 'Rows', ...values, ...(hasSites ? ['Distance to the others'] : [])],
    rows: parts.map(({ rows, quantiles, counts, drift }) => [
      rowsText(rows),
      ...(isNumeric
        ? values.map((_, at) => {
            const found = quantiles[at];
            return found === undefined ? NONE : `${metric(found.low)} to ${metric(found.high)}`;
          })
        : counts.map((each) => rowsText(each.rows))),
      ...(hasSites ? [driftText(drift)] : []),
    ]),
  };
}

function driftText(drift: ColumnPart['drift']): string {
  if (drift === undefined) return NONE;
  const { distance, p } = drift;
  return `${distance.toFixed(2)}, p ${p < 0.001 ? '< 0.001' : p.toFixed(3)}`;
}

/** Observed over predicted, and the diagonal on which they are the same. */
export function reliabilityLines({
  bins,
}: Pick<NonNullable<ScoredPart['calibration']>, 'bins'>): readonly ChartLine[] {
  return [
    {
      label: 'observed',
      colour: 'first',
      points: bins.map(({ predicted, observed }) => [predicted, observed] as const),
    },
    {
      label: 'calibrated',
      colour: 'second',
      dashed: true,
      points: [0, ...bins.map(({ predicted }) => predicted), 1].map((x) => [x, x] as const),
    },
  ];
}
