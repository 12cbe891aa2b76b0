/** The costs of runs of one bucket of input sizes, by rows: see `latency-model.ts`. */
import type { Instant } from '../../contract.ts';
import { CostCell } from './cost-cell.ts';
import { Variation, type Pace } from './pace.ts';
import { CELLS_PER_OCTAVE, cellOf, interpolate, rowsOf } from './row-cells.ts';
import { tuning } from '../tuning.ts';

/** Resolution of a measured run: of the clock and the event loop. */
const SHORTEST_MS = 0.001;

export interface KnownLatency {
  readonly rows: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Measured runs of about so many rows. */
  readonly runs: number;
}

/** Expected cost of a bucket that has not run. Costs are at level 1, in milliseconds. */
export interface CostGuess {
  /** The nearest bucket that has run. */
  readonly from: LatencyCurve;
  /** How many times its cost. */
  readonly factor: number;
  /** Measured costs of smaller and larger buckets. */
  readonly atLeast: (rows: number) => number;
  readonly atMost: (rows: number) => number;
}

/** The place of a bucket in the order of its version's buckets. */
export interface BucketSite {
  /** The size class of each input. */
  readonly bucket: readonly number[];
  /** Changes when a guess may be outdated. */
  readonly revision: () => number;
  readonly guess: () => CostGuess | undefined;
  /** Least measured cost of this bucket and of smaller ones, at level 1. */
  readonly leastMs: (rows: number) => number;
  /** @param isNew whether guesses for other buckets may change. */
  readonly ran: (curve: LatencyCurve, isNew: boolean) => void;
}

export class LatencyCurve {
  readonly bucket: readonly number[];
  /** Measured runs of this bucket, warming included; 0: its costs are an extrapolation. */
  runs = 0;

  readonly #pace: Pace;
  readonly #site: BucketSite;
  readonly #variation = new Variation();
  readonly #cells: (CostCell | undefined)[] = [];
  /** Costs at level 1 per cell, interpolated between and below the measured cells. */
  #shape = new Float64Array(0);
  #stale = false;
  /** Revision of the guess in `#cells`, while there is no run. */
  #guessedAt = -1;
  /** Number of the next young run; 0 when it is not young. */
  #young = 0;
  /** The first measured cell. */
  #first = Infinity;
  /** Total time of the runs of this class, in milliseconds. */
  #busyMs = 0;
  /** `efficientRows` by budget class, for one bound of rows; cleared by every run. */
  readonly #goodRows: number[] = [];
  #goodFor = 0;
  /** `batchRowsOf` by rows, likewise. */
  readonly #batchRows: number[] = [];

  constructor(pace: Pace, site: BucketSite) {
    this.#pace = pace;
    this.#site = site;
    this.bucket = site.bucket;
  }

  /** @param ms from hand-over to result. */
  record(rows: number, ms: number, now: Instant): void {
    this.#refresh();
    const position = cellOf(rows);
    if (this.runs === 0 && this.#shape.length > 0) this.#young = 1;
    // Beyond the known sizes, a run shows the cost of its size, not the pace of the machine.
    if (position >= this.#shape.length) return this.seed(rows, ms);
    const estimateMs = this.#shape[position]!;
    const cell = (this.#cells[position] ??= new CostCell(estimateMs));
    // The run is compared with what its own size has cost. The estimate may be the lower cost of a larger batch:
    // then the run would look slow, the pace would rise, the larger batch would look fast and become cheaper
    // still, and so on without end.
    const ownMs = interpolate(this.#shape, rows) * (cell.ms / estimateMs);
    const took = Math.max(ms, SHORTEST_MS);
    const residual = took / (ownMs * this.#pace.level);
    this.#busyMs += ms;
    cell.rest(this.#busyMs, residual);
    if (this.#young > 0) this.#rescale(cell, residual);
    else this.#pace.note(took, ownMs, cell, this.#variation, now);
    this.#used(position);
  }

  /** Factor of all estimates: it follows the pace of the machine, and is the same for all classes. */
  get level(): number {
    return this.#pace.level;
  }

  /** Records a warming run, which does not change the pace. */
  seed(rows: number, ms: number): void {
    const position = cellOf(rows);
    const cell = (this.#cells[position] ??= new CostCell());
    cell.seed(Math.max(ms, SHORTEST_MS) / this.#pace.level);
    this.#used(position);
  }

  /** Median of a run of `rows`; 0 without measurements. */
  p50(rows: number): number {
    this.#refresh();
    const { level } = this.#pace;
    return interpolate(this.#shape, rows) * level;
  }

  /** 99 of 100 runs of `rows` take at most this; 0 without measurements. */
  p99(rows: number): number {
    return this.p50(rows) * this.#variation.tail;
  }

  /** Whether the estimate for `rows` is an extrapolation: no run of this size shows its cost. */
  isExtrapolated(rows: number): boolean {
    this.#refresh();
    const position = cellOf(rows);
    return this.runs === 0 || position >= this.#shape.length || position < this.#first;
  }

  /**
   * The optimistic bound of a run of `rows`, in milliseconds: what measured runs of at most this
   * size took, in elements of every input and in rows. It decays while an idle node refuses.
   */
  leastMs(rows: number, now: Instant): number {
    return this.#site.leastMs(rows) * this.#pace.level * this.#pace.left(now);
  }

  /** Whether an idle node has refused a request because of the estimates, and none of a known size has run since. */
  isDoubted(now: Instant): boolean {
    return this.#pace.left(now) < 1;
  }

  /** Cost at level 1 that measured runs of this bucket show for `rows` at least. */
  measuredMs(rows: number): number {
    this.#refresh();
    const position = cellOf(rows);
    if (position < this.#first) return 0;
    return this.#shape[position] === undefined
      ? this.#shape.at(-1)!
      : interpolate(this.#shape, rows);
  }

  /** Cost at level 1 that is expected for `rows`. */
  shapeMs(rows: number): number {
    this.#refresh();
    return interpolate(this.#shape, rows);
  }

  /** Whether there are too few runs of `rows`, including warming, to know their cost. */
  isGuess(rows: number): boolean {
    return this.#cells[cellOf(rows)]?.isGuess ?? true;
  }

  /** Time of the runs of this class since one of this size took the expected time, in milliseconds. */
  restedMs(rows: number): number {
    return this.#busyMs - (this.#cells[cellOf(rows)]?.restsSinceMs ?? 0);
  }

  /** An idle node has refused a request because of these estimates. */
  refuse(now: Instant): void {
    this.#pace.refuse(now);
  }

  /**
   * The smallest batch that reaches nearly the best throughput among those whose p99 is within
   * `budgetMs`. Larger ones would only lengthen the wait of every request behind them.
   */
  efficientRows(maxRows: number, budgetMs: number): number {
    this.#refresh();
    if (budgetMs <= 0) return 1;
    if (this.#goodFor !== maxRows) {
      this.#goodFor = maxRows;
      this.#goodRows.length = 0;
    }
    // Budgets below a microsecond share the lowest class.
    const budget = Math.max(0, Math.floor(CELLS_PER_OCTAVE * Math.log2(budgetMs * 1000)));
    let rows = this.#goodRows[budget];
    if (rows === undefined) {
      rows = this.#findEfficientRows(maxRows, 2 ** (budget / CELLS_PER_OCTAVE) / 1000);
      this.#goodRows[budget] = rows;
    }
    return rows;
  }

  /**
   * The batch size in which so many rows finish soonest: all in one run, unless smaller batches are
   * faster. The better throughput of larger sizes does not help if there are not enough rows.
   */
  batchRowsOf(rows: number): number {
    this.#refresh();
    return (this.#batchRows[rows] ??= this.#findBatchRows(rows));
  }

  /** The row counts that have run, with their estimates. */
  known(): KnownLatency[] {
    this.#refresh();
    const { level } = this.#pace;
    const { tail } = this.#variation;
    const known: KnownLatency[] = [];
    this.#cells.forEach((cost, cell) => {
      if (cost === undefined || cost.samples === 0) return;
      const p50Ms = this.#shape[cell]! * level;
      known.push({ rows: rowsOf(cell), p50Ms, p99Ms: p50Ms * tail, runs: cost.samples });
    });
    return known;
  }

  #findEfficientRows(maxRows: number, budgetMs: number): number {
    if (this.#shape.length === 0) return maxRows;
    const longest = budgetMs / (this.#pace.level * this.#variation.tail);
    let best = 0;
    let end = 0;
    for (let rows = 0; rows < maxRows && best < Infinity; end++) {
      rows = Math.min(rowsOf(end), maxRows);
      const took = interpolate(this.#shape, rows);
      if (took > longest) break;
      best = Math.max(best, rows / took);
    }
    for (let cell = 0; cell < end; cell++) {
      const rows = Math.min(rowsOf(cell), maxRows);
      if (rows / interpolate(this.#shape, rows) >= best * tuning.goodThroughput) return rows;
    }
    return 1;
  }

  #findBatchRows(rows: number): number {
    const took = (size: number): number => {
      const rest = rows % size;
      const last = rest === 0 ? 0 : interpolate(this.#shape, rest);
      return Math.floor(rows / size) * interpolate(this.#shape, size) + last;
    };
    const smaller: number[] = [];
    for (let cell = 0; rowsOf(cell) < rows; cell++) smaller.push(rowsOf(cell));
    const best = Math.min(...smaller.map(took));
    const whole = took(rows);
    if (!(best < whole * tuning.goodThroughput)) return rows;
    return smaller.find((size) => took(size) * tuning.goodThroughput <= best) ?? rows;
  }

  #used(position: number): void {
    const isNew = this.runs === 0 || this.#young > 0 || position < this.#first;
    this.#stale = true;
    this.runs++;
    this.#first = Math.min(this.#first, position);
    this.#site.ran(this, isNew);
  }

  /** Corrects all costs of a young bucket by a run. No run is fast by accident; slower ones count by their share. */
  #rescale(cell: CostCell, residual: number): void {
    const gain = residual < 1 ? 1 : 1 / this.#young;
    for (const known of this.#cells) if (known !== undefined) known.ms *= residual ** gain;
    cell.see();
    this.#young = this.#young < tuning.runsToKnow ? this.#young + 1 : 0;
  }

  /** Takes over the guess for a bucket without a run. */
  #extrapolate(): void {
    this.#guessedAt = this.#site.revision();
    const guess = this.#site.guess();
    if (guess === undefined) return;
    const { from, factor, atLeast, atMost } = guess;
    this.#stale = true;
    this.#cells.length = 0;
    from.#cells.forEach((known, cell) => {
      if (known === undefined) return;
      const rows = rowsOf(cell);
      const ms = Math.max(atLeast(rows), Math.min(atMost(rows), known.ms * factor));
      this.#cells[cell] = new CostCell(ms);
    });
  }

  #refresh(): void {
    if (this.runs === 0 && this.#guessedAt !== this.#site.revision()) this.#extrapolate();
    if (!this.#stale) return;
    this.#stale = false;
    this.#goodRows.length = 0;
    this.#batchRows.length = 0;
    const size = this.#cells.length;
    if (this.#shape.length !== size) this.#shape = new Float64Array(size);
    let last = -1;
    for (let cell = 0; cell < size; cell++) {
      const known = this.#cells[cell];
      if (known === undefined) continue;
      this.#shape[cell] = known.ms;
      this.#fillGap(last, cell);
      last = cell;
    }
    // Fewer rows never take longer: a larger batch lowers estimates of smaller ones.
    for (let cell = size - 2; cell >= 0; cell--) {
      if (this.#shape[cell]! > this.#shape[cell + 1]!) this.#shape[cell] = this.#shape[cell + 1]!;
    }
  }

  /** Interpolates between two known cells; below the first one the shape is constant. */
  #fillGap(from: number, to: number): void {
    const shape = this.#shape;
    const end = shape[to]!;
    for (let cell = from + 1; cell < to; cell++) {
      if (from < 0) {
        shape[cell] = end;
      } else {
        const part = (rowsOf(cell) - rowsOf(from)) / (rowsOf(to) - rowsOf(from));
        shape[cell] = shape[from]! + part * (end - shape[from]!);
      }
    }
  }
}
