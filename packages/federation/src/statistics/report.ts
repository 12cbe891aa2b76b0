/** The results of a federation that counts: for each table, over all sites, by site and by group. */
import { isNumeric, type Axis } from './axes.ts';
import { calibrationOf, type BinnedCalibration } from './calibration.ts';
import { type BinnedQuantile, type Drift, driftOf, quantilesOf } from './columns.ts';
import { conformalQuantile, type ConformalOptions, type ConformalQuantile } from './conformal.ts';
import { type Decisions, decisionsAt, type Ranking, rankingOf } from './performance.ts';
import {
  added,
  type CountTable,
  type NoisyCounts,
  type Statistics,
  suppressed,
} from './released.ts';
import { binNames, isScored, marginal, rowsOf, scoresOf, total } from './score-counts.ts';
import { temperatureOf, type Temperature } from './temperature.ts';

export interface ReportOptions extends ConformalOptions {
  /** Probability of the second class at and above which a row counts as of it; default 0.5. */
  readonly threshold?: number;
}

/** Rows that a result is about: all rows, the rows of a site, or a category of a group. */
export interface Part {
  /** `all sites`, a pseudonym, or `sex = 1`. */
  readonly name: string;
  readonly kind: 'all' | 'site' | 'group';
}

/** How good a model is on the rows of a part. Absent: these are too few. */
export interface ScoredPart extends Part {
  /** Null: fewer than are shown. */
  readonly rows: number | null;
  /** Rows without a score. */
  readonly unscored: number | null;
  readonly temperature?: Temperature;
  /** With logits as the model gives them. */
  readonly quantile?: ConformalQuantile;
  readonly calibration?: BinnedCalibration;
  readonly ranking?: Ranking;
  readonly decisions?: Decisions;
}

/** The values of a column at a part. */
export interface ColumnPart extends Part {
  readonly rows: number | null;
  /** Empty for a column of categories. */
  readonly quantiles: readonly BinnedQuantile[];
  /** By bin or category, with its name. */
  readonly counts: readonly { readonly name: string; readonly rows: number | null }[];
  /** Distance of a site to all others. */
  readonly drift?: Drift;
}

export interface TableReport {
  /** Names of the axes. */
  readonly axes: readonly string[];
  readonly scored: readonly ScoredPart[];
  readonly columns: readonly { readonly name: string; readonly parts: readonly ColumnPart[] }[];
}

export function reportOf({ tables }: Statistics, options: ReportOptions = {}): TableReport[] {
  return tables.map((table) => ({
    axes: table.axes.map(({ name }) => name),
    scored: isScored(table) ? scoredParts(table, options) : [],
    columns: table.axes
      .filter(({ kind }) => kind !== 'score')
      .map((axis) => ({ name: axis.name, parts: columnParts(table, axis) })),
  }));
}

const ALL: Part = { name: 'all sites', kind: 'all' };

function sitesOf({ sites }: CountTable): readonly (readonly [Part, NoisyCounts])[] {
  return Object.entries(sites).map(([name, counts]) => [{ name, kind: 'site' }, counts]);
}

function scoredParts(table: CountTable, options: ReportOptions): ScoredPart[] {
  const whole = [[ALL, table.pooled] as const, ...sitesOf(table)].map(([part, counts]) =>
    scoredPart(part, table, counts, options),
  );
  const groups = table.axes
    .filter(({ kind }) => kind === 'column')
    .flatMap((axis) =>
      binNames(axis).map((name, bin) => {
        const part: Part = { name: `${axis.name} = ${name}`, kind: 'group' };
        return scoredPart(part, table, table.pooled, options, { axis: axis.name, bin });
      }),
    )
    .filter(({ rows }) => rows !== null);
  return [...whole, ...groups];
}

function scoredPart(
  part: Part,
  table: CountTable,
  counts: NoisyCounts,
  { threshold = 0.5, ...conformal }: ReportOptions,
  where?: { readonly axis: string; readonly bin: number },
): ScoredPart {
  const scores = scoresOf(table, counts, where);
  const [rows, unscored] = [suppressed(rowsOf(scores)), suppressed(scores.unscored)];
  if (rows === null) return { ...part, rows, unscored };
  const temperature = temperatureOf(scores);
  return {
    ...part,
    rows,
    unscored,
    ...present({
      temperature,
      quantile: conformalQuantile(scores, conformal),
      calibration: calibrationOf(scores),
      ranking: rankingOf(scores),
      decisions: decisionsAt(scores, Math.log(threshold / (1 - threshold))),
    }),
  };
}

function columnParts(table: CountTable, axis: Axis): ColumnPart[] {
  const over = (counts: NoisyCounts): NoisyCounts => marginal(table, counts, [axis]);
  const partOf = (part: Part, counts: NoisyCounts): ColumnPart => ({
    ...part,
    rows: suppressed(total(counts.counts)),
    quantiles: isNumeric(axis) ? quantilesOf(axis, counts) : [],
    counts: binNames(axis).map((name, bin) => ({ name, rows: suppressed(counts.counts[bin]!) })),
  });
  const sites = sitesOf(table);
  return [
    partOf(ALL, over(table.pooled)),
    ...sites.map(([part, counts]) => {
      const others = sites.filter(([other]) => other.name !== part.name);
      const drift =
        others.length === 0
          ? undefined
          : driftOf(over(counts), over(added(others.map(([, each]) => each))));
      return { ...partOf(part, over(counts)), ...present({ drift }) };
    }),
  ];
}

/** Without the fields that are undefined. */
function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as never;
}
