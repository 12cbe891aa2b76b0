/**
 * Predicts how long a run takes, by rows and by the size of a row, from measured runs.
 *
 * Each size class (a quarter of an octave of elements per row) has a curve over rows: its shape.
 * The curve has the cost of every row count up to 8 and of four counts per octave above, and
 * interpolates between measured ones. A new class inherits the nearest curve, scaled by the
 * elements. All classes share one pace (`pace.ts`):
 *
 *     p50(rows) = shape(rows) · level           p99(rows) = p50(rows) · tail
 *
 * Durations are measured from hand-over to result in the dispatcher, in milliseconds, so they
 * include the wake-up of the thread.
 */
import type { Instant } from '../contract.ts';
import { CostCell } from './cost-cell.ts';
import { Pace } from './pace.ts';

const EXACT_ROWS = 8;
const CELLS_PER_OCTAVE = 4;
const BUDGETS_PER_OCTAVE = 8;
/** Resolution of a measured run: of the clock and the event loop. */
const SHORTEST_MS = 0.001;
/** A smaller batch is preferred as long as it reaches this share of the best throughput. */
const GOOD_THROUGHPUT = 0.97;

export interface KnownLatency {
  readonly rows: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export class LatencyModel {
  readonly #pace = new Pace();
  readonly #curves = new Map<number, LatencyCurve>();
  /** The curve that ran last, for snapshots. */
  #latest: LatencyCurve | undefined;

  /** @param elementsPerRow of all inputs together. */
  curve(elementsPerRow: number): LatencyCurve {
    const sizeClass = Math.round(CELLS_PER_OCTAVE * Math.log2(Math.max(1, elementsPerRow)));
    let curve = this.#curves.get(sizeClass);
    if (curve === undefined) {
      curve = new LatencyCurve(this.#pace, sizeClass, this.#nearest(sizeClass), (used) => {
        this.#latest = used;
      });
      this.#curves.set(sizeClass, curve);
    }
    return curve;
  }

  known(): KnownLatency[] {
    return this.#latest?.known() ?? [];
  }

  #nearest(sizeClass: number): LatencyCurve | undefined {
    let nearest: LatencyCurve | undefined;
    for (const curve of this.#curves.values()) {
      if (!curve.learnt) continue;
      const distance = Math.abs(curve.sizeClass - sizeClass);
      if (nearest === undefined || distance < Math.abs(nearest.sizeClass - sizeClass)) {
        nearest = curve;
      }
    }
    return nearest;
  }
}

export class LatencyCurve {
  readonly sizeClass: number;
  /** Whether a run of this class itself was measured. */
  learnt = false;

  readonly #pace: Pace;
  readonly #onUse: (curve: LatencyCurve) => void;
  readonly #cells: (CostCell | undefined)[] = [];
  /** Costs at level 1 per cell, interpolated between and below the measured cells. */
  #shape = new Float64Array(0);
  #stale = false;
  /** Total time of the runs of this class, in milliseconds. */
  #busyMs = 0;
  /** `efficientRows` by budget class, for one bound of rows; cleared by every run. */
  readonly #goodRows: number[] = [];
  #goodFor = 0;
  /** `batchRowsOf` by rows, likewise. */
  readonly #batchRows: number[] = [];

  constructor(
    pace: Pace,
    sizeClass: number,
    ancestor: LatencyCurve | undefined,
    onUse: (curve: LatencyCurve) => void,
  ) {
    this.#pace = pace;
    this.sizeClass = sizeClass;
    this.#onUse = onUse;
    if (ancestor !== undefined) this.#inherit(ancestor);
  }

  /** @param ms from hand-over to result. */
  record(rows: number, ms: number, now: Instant): void {
    this.#refresh();
    const position = cellOf(rows);
    // Beyond the known sizes, a run shows the cost of its size, not the pace of the machine.
    if (position >= this.#shape.length) return this.seed(rows, ms);
    const cell = (this.#cells[position] ??= new CostCell(this.#shape[position]));
    const shapeMs = interpolate(this.#shape, rows);
    this.#busyMs += ms;
    cell.rest(this.#busyMs, ms / (shapeMs * this.#pace.level));
    this.#pace.note(Math.max(ms, SHORTEST_MS), shapeMs, cell, now);
    this.#used();
  }

  /** Factor of all estimates: it follows the pace of the machine, and is the same for all classes. */
  get level(): number {
    return this.#pace.level;
  }

  /** Records a warming run, which does not change the pace. */
  seed(rows: number, ms: number): void {
    const cell = (this.#cells[cellOf(rows)] ??= new CostCell());
    cell.seed(Math.max(ms, SHORTEST_MS) / this.#pace.level);
    this.#used();
  }

  /** Median of a run of `rows`; 0 without measurements. */
  p50(rows: number, now: Instant): number {
    this.#refresh();
    const { level } = this.#pace;
    return interpolate(this.#shape, rows) * level * this.#pace.left(now);
  }

  /** 99 of 100 runs of `rows` take at most this; 0 without measurements. */
  p99(rows: number, now: Instant): number {
    return this.p50(rows, now) * this.#pace.tail;
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
    const budget = Math.max(0, Math.floor(BUDGETS_PER_OCTAVE * Math.log2(budgetMs * 1000)));
    let rows = this.#goodRows[budget];
    if (rows === undefined) {
      rows = this.#findEfficientRows(maxRows, 2 ** (budget / BUDGETS_PER_OCTAVE) / 1000);
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
    const { level, tail } = this.#pace;
    const known: KnownLatency[] = [];
    this.#cells.forEach((cost, cell) => {
      if (cost === undefined) return;
      const p50Ms = this.#shape[cell]! * level;
      known.push({ rows: rowsOf(cell), p50Ms, p99Ms: p50Ms * tail });
    });
    return known;
  }

  #findEfficientRows(maxRows: number, budgetMs: number): number {
    if (this.#shape.length === 0) return maxRows;
    const longest = budgetMs / (this.#pace.level * this.#pace.tail);
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
      if (rows / interpolate(this.#shape, rows) >= best * GOOD_THROUGHPUT) return rows;
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
    if (!(best < whole * GOOD_THROUGHPUT)) return rows;
    return smaller.find((size) => took(size) * GOOD_THROUGHPUT <= best) ?? rows;
  }

  #used(): void {
    this.#stale = true;
    this.learnt = true;
    this.#onUse(this);
  }

  #inherit(ancestor: LatencyCurve): void {
    const ratio = 2 ** ((this.sizeClass - ancestor.sizeClass) / CELLS_PER_OCTAVE);
    ancestor.#cells.forEach((known, cell) => {
      if (known === undefined) return;
      this.#cells[cell] = new CostCell(known.ms * ratio);
    });
    this.#stale = true;
  }

  #refresh(): void {
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
      if (last >= 0 && known.isStale(this.#pace.runs)) {
        // A size that has not run for long is tried again if it could be better: at worst, a batch
        // takes as long as its rows in smaller ones.
        const apart = (this.#shape[last]! * rowsOf(cell)) / rowsOf(last);
        this.#shape[cell] = Math.min(known.ms, apart);
      }
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

/** The cell of a row count: exact up to 8, then rounded up to a quarter of an octave. */
function cellOf(rows: number): number {
  if (rows <= EXACT_ROWS) return rows - 1;
  const octave = 31 - Math.clz32(rows - 1); // 3 for 9…16
  const step = 2 ** (octave - 2);
  return EXACT_ROWS + (octave - 3) * CELLS_PER_OCTAVE + Math.ceil(rows / step) - 5;
}

/** The largest row count of a cell. */
function rowsOf(cell: number): number {
  if (cell < EXACT_ROWS) return cell + 1;
  const above = cell - EXACT_ROWS;
  const octave = 3 + Math.floor(above / CELLS_PER_OCTAVE);
  return 2 ** (octave - 2) * (5 + (above % CELLS_PER_OCTAVE));
}

/** Linear between cells; beyond the last one it follows the slope of the last octave, but at most in proportion. */
function interpolate(shape: Float64Array, rows: number): number {
  if (shape.length === 0) return 0;
  const cell = cellOf(rows);
  const last = shape.length - 1;
  if (cell > last) {
    const end = shape[last]!;
    const endRows = rowsOf(last);
    const before = Math.max(0, last - CELLS_PER_OCTAVE);
    const slope =
      before === last ? end / endRows : (end - shape[before]!) / (endRows - rowsOf(before));
    return end + Math.min(slope, end / endRows) * (rows - endRows);
  }
  const upper = rowsOf(cell);
  const above = shape[cell]!;
  if (upper === rows || cell === 0) return above;
  const lower = rowsOf(cell - 1);
  const below = shape[cell - 1]!;
  return below + ((above - below) * (rows - lower)) / (upper - lower);
}
