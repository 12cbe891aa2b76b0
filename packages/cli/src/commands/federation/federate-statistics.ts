/** `skein federate statistics`: the noised counts of a federation, and what follows from them. */
import type { FederationStatistics, FederationView } from '@skein/api';
import { nodeCommand } from '../../connection/node-command.ts';
import { argument, decimal, withDefault } from '../../command-line/option.ts';
import type { Style } from '../../output/style.ts';
import { type Column, renderTable } from '../../output/table.ts';
import { find } from './federate.ts';

type Table = FederationStatistics['report'][number];
type Scored = Table['scored'][number];
type ColumnPart = Table['columns'][number]['parts'][number];

export const federateStatistics = nodeCommand({
  name: 'federate statistics',
  summary: 'Show the counts of a federation: calibration, sets, performance and drift, by site.',
  details:
    'For a plan of strategy statistics, which counts rows over published bins in place of a training; docs/guide/federation.md shows one. All numbers follow from counts with the noise of the budget. A part with fewer than 10 rows is left out.',
  examples: {
    'skein federate statistics last': 'The newest federation',
    'skein federate statistics last --coverage 0.95 --json': 'All numbers, with the noised counts',
  },
  arguments: { federation: argument('FEDERATION', 'Its id, the beginning of it, or last.') },
  options: {
    coverage: withDefault(
      decimal('N', 'Share of rows whose class is in their set.', [0.01, 0.999]),
      '0.9',
    ),
    threshold: withDefault(
      decimal('N', 'Probability at which a row counts as positive.', [0.001, 0.999]),
      '0.5',
    ),
  },
  async run(connection, { federation, coverage, threshold }) {
    const { id, name, sites, plan, status } = await find(connection, federation);
    const statistics = await connection.client.getStatistics({ id, coverage, threshold });
    const names = sites.map(({ pseudonym, name: site }) => ({ pseudonym, name: site }));
    return {
      federation: id,
      name,
      status,
      coverage,
      threshold,
      names,
      privacy: plan.privacy,
      ...statistics,
    };
  },
  render(result, style) {
    const { report, coverage, threshold, tables, names, privacy } = result;
    const of = nameOf(names);
    const deviation = tables[0]?.pooled.deviation ?? 0;
    return [
      `${result.name}: ${result.sites.length} sites, ε ≤ ${privacy.epsilon} at δ = ${privacy.delta}; noise of ±${deviation.toFixed(1)} in each count over all sites`,
      ...report.flatMap((table) => tableLines(table, { coverage, threshold, of }, style)),
    ].join('\n');
  },
});

interface Terms {
  readonly coverage: number;
  readonly threshold: number;
  /** A part as the operator calls it. */
  readonly of: (part: string) => string;
}

const nameOf =
  (names: readonly Pick<FederationView['sites'][number], 'name' | 'pseudonym'>[]) =>
  (part: string): string =>
    names.find(({ pseudonym }) => pseudonym === part)?.name ?? part;

function tableLines(table: Table, terms: Terms, style: Style): string[] {
  const title = style.bold(`Counts of ${table.axes.join(' × ')}`);
  return [
    '',
    title,
    ...(table.scored.length === 0 ? [] : scoredLines(table.scored, terms, style)),
    ...table.columns.flatMap(({ name, parts }) => [
      '',
      style.bold(name),
      renderTable(style, parts, columnColumns(parts, terms)),
    ]),
  ];
}

const few = '–';
const fixed = (value: number | undefined, digits = 3): string => value?.toFixed(digits) ?? few;
const within = (value: number | undefined, deviation: number | undefined): string =>
  value === undefined ? few : `${value.toFixed(3)} ±${(deviation ?? 0).toFixed(2)}`;
const rowsText = (rows: number | null): string => (rows === null ? '< 10' : String(rows));

function scoredLines(parts: readonly Scored[], terms: Terms, style: Style): string[] {
  const { coverage, threshold, of } = terms;
  const columns: readonly Column<Scored>[] = [
    ['ROWS OF', ({ name }) => of(name)],
    ['ROWS', ({ rows }) => rowsText(rows), 'right'],
    ['AUC', ({ ranking }) => within(ranking?.auc, ranking?.deviation), 'right'],
    [
      'SENSITIVITY',
      ({ decisions }) => within(decisions?.sensitivity, decisions?.deviations.sensitivity),
      'right',
    ],
    [
      'SPECIFICITY',
      ({ decisions }) => within(decisions?.specificity, decisions?.deviations.specificity),
      'right',
    ],
    ['PPV', ({ decisions }) => within(decisions?.ppv, decisions?.deviations.ppv), 'right'],
    ['ECE', ({ calibration }) => fixed(calibration?.error), 'right'],
    ['BRIER', ({ calibration }) => within(calibration?.brier, calibration?.deviation), 'right'],
    ['T', ({ temperature }) => fixed(temperature?.temperature, 2), 'right'],
    [
      '1 − p AT MOST',
      ({ quantile, rows }) => (rows === null ? few : fixed(quantile?.quantile)),
      'right',
    ],
  ];
  const [all] = parts;
  return [
    renderTable(style, parts, columns),
    `± is one standard deviation, by noise and number of rows. Decisions are at a probability of ${threshold}.`,
    `A set of ${100 * coverage} % holds a class whose 1 − p is at most the last column; – : it holds both.`,
    ...(all?.calibration === undefined ? [] : reliability(all.calibration, style)),
  ];
}

function reliability({ bins, rows }: NonNullable<Scored['calibration']>, style: Style): string[] {
  return [
    '',
    style.bold(
      `Reliability over all sites: ${Math.round(rows)} rows, ${bins.length} bins with enough of them`,
    ),
    renderTable(style, bins, [
      ['PREDICTED', ({ low, high }) => `${low.toFixed(3)} to ${high.toFixed(3)}`],
      ['ROWS', (bin) => String(Math.round(bin.rows)), 'right'],
      ['OBSERVED', ({ observed }) => observed.toFixed(3), 'right'],
    ]),
  ];
}

function columnColumns(parts: readonly ColumnPart[], { of }: Terms): readonly Column<ColumnPart>[] {
  const [first] = parts;
  const levels = first?.quantiles ?? [];
  const values: readonly Column<ColumnPart>[] =
    levels.length > 0
      ? levels.map(({ level }, at) => [
          `${100 * level} %`,
          ({ quantiles }) => {
            const found = quantiles[at];
            return found === undefined ? few : `${shown(found.low)} to ${shown(found.high)}`;
          },
          'right',
        ])
      : (first?.counts ?? []).map(({ name }, at) => [
          name.toUpperCase(),
          ({ counts }) => rowsText(counts[at]!.rows),
          'right',
        ]);
  return [
    ['ROWS OF', ({ name }) => of(name)],
    ['ROWS', ({ rows }) => rowsText(rows), 'right'],
    ...values,
    [
      'DRIFT',
      ({ drift }) =>
        drift === undefined ? few : `${drift.distance.toFixed(2)}, p ${drift.p.toFixed(3)}`,
      'right',
    ],
  ];
}

const shown = (value: number): string => String(+value.toPrecision(4));
