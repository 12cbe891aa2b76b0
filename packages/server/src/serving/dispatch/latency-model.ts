/**
 * How long a run takes, by rows and by the size of a row, as learnt from the runs themselves.
 *
 * Each size class (a quarter of an octave of elements per row) has a curve over rows. A curve keeps
 * a window of samples at every row count up to 8 and at four counts per octave above, and
 * interpolates between those that it has seen. A class that is met for the first time inherits the
 * nearest curve, scaled by the elements.
 *
 * A model that is too pessimistic refuses everything and never learns better. Therefore the
 * estimates decay, once nothing has run for a while, towards the fastest run ever seen: soon a
 * request is admitted again and its run tells the truth.
 *
 * Durations are from hand-over to result as the dispatcher sees them, in milliseconds: what a
 * request experiences, the thread's wake-up included.
 */
import type { Instant } from '../contract.ts';
import { SampleWindow } from './sample-window.ts';

const EXACT_ROWS = 8;
const CELLS_PER_OCTAVE = 4;
const CLASSES_PER_OCTAVE = 8;
/** A tail beyond this multiple of the median is a stall of the machine, which admission cannot plan for. */
const MAX_TAIL = 5;
/** With fewer samples, the longest one and a margin stand for the tail. */
const FEW_SAMPLES = 8;
const FEW_SAMPLES_MARGIN = 1.2;
const DECAY_AFTER_MS = 500;
const DECAY_HALF_LIFE_MS = 500;
/** A smaller batch is preferred as long as it reaches this share of the best throughput. */
const GOOD_THROUGHPUT = 0.97;

export interface KnownLatency {
  readonly rows: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export class LatencyModel {
  readonly #curves = new Map<number, LatencyCurve>();
  /** The curve that ran last: what a snapshot shows. */
  #latest: LatencyCurve | undefined;

  /** @param elementsPerRow of all inputs together. */
  curve(elementsPerRow: number): LatencyCurve {
    const sizeClass = Math.round(CELLS_PER_OCTAVE * Math.log2(Math.max(1, elementsPerRow)));
    let curve = this.#curves.get(sizeClass);
    if (curve === undefined) {
      curve = new LatencyCurve(this.#nearest(sizeClass), sizeClass, (used) => {
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
  /** Whether a run of this class itself has been seen. */
  learnt = false;

  readonly #onUse: (curve: LatencyCurve) => void;
  readonly #cells: (SampleWindow | undefined)[] = [];
  /** Estimates per cell, filled in between and around the cells with samples. */
  #p50 = new Float64Array(0);
  #p99 = new Float64Array(0);
  #fastest = new Float64Array(0);
  #stale = false;
  #lastRunAt: Instant = Infinity;
  /** `efficientRows` by quarter octaves of the budget, for one bound of rows; forgotten with every run. */
  readonly #goodRows: number[] = [];
  #goodFor = 0;

  constructor(
    ancestor: LatencyCurve | undefined,
    sizeClass: number,
    onUse: (curve: LatencyCurve) => void,
  ) {
    this.sizeClass = sizeClass;
    this.#onUse = onUse;
    if (ancestor !== undefined) this.#inherit(ancestor);
  }

  /** @param ms from hand-over to result. */
  record(rows: number, ms: number, now: Instant): void {
    const cell = cellOf(rows);
    (this.#cells[cell] ??= new SampleWindow()).record(ms, now);
    this.#lastRunAt = now;
    this.#stale = true;
    this.learnt = true;
    this.#onUse(this);
  }

  /** Median of a run of `rows`; 0 while nothing is known. */
  p50(rows: number, now: Instant): number {
    this.#refresh();
    return this.#decayed(interpolate(this.#p50, rows), rows, now);
  }

  /** What 99 of 100 runs of `rows` stay below; 0 while nothing is known. */
  p99(rows: number, now: Instant): number {
    this.#refresh();
    return this.#decayed(interpolate(this.#p99, rows), rows, now);
  }

  /**
   * The smallest batch that reaches nearly the best throughput among those whose p99 stays within
   * `budgetMs`. Larger ones would only lengthen the wait of everybody behind them.
   */
  efficientRows(maxRows: number, budgetMs: number): number {
    this.#refresh();
    if (budgetMs <= 0) return 1;
    if (this.#goodFor !== maxRows) {
      this.#goodFor = maxRows;
      this.#goodRows.length = 0;
    }
    // Budgets below a microsecond share the lowest class.
    const budgetClass = Math.max(0, Math.floor(CLASSES_PER_OCTAVE * Math.log2(budgetMs * 1000)));
    let rows = this.#goodRows[budgetClass];
    if (rows === undefined) {
      rows = this.#findEfficientRows(maxRows, 2 ** (budgetClass / CLASSES_PER_OCTAVE) / 1000);
      this.#goodRows[budgetClass] = rows;
    }
    return rows;
  }

  /** The row counts that have been run, with their estimates. */
  known(): KnownLatency[] {
    this.#refresh();
    const known: KnownLatency[] = [];
    this.#cells.forEach((window, cell) => {
      if (window === undefined) return;
      known.push({ rows: rowsOf(cell), p50Ms: this.#p50[cell]!, p99Ms: this.#p99[cell]! });
    });
    return known;
  }

  #findEfficientRows(maxRows: number, budgetMs: number): number {
    if (this.#p50.length === 0) return maxRows;
    const candidates: number[] = [];
    for (let cell = 0; rowsOf(cell) < maxRows; cell++) candidates.push(rowsOf(cell));
    candidates.push(maxRows);
    let best = 0;
    for (const rows of candidates) {
      if (interpolate(this.#p99, rows) > budgetMs) break;
      best = Math.max(best, rows / interpolate(this.#p50, rows));
    }
    return candidates.find(
      (rows) => rows / interpolate(this.#p50, rows) >= best * GOOD_THROUGHPUT,
    )!;
  }

  #decayed(estimate: number, rows: number, now: Instant): number {
    const idle = now - this.#lastRunAt;
    // A long run is not a silence.
    if (!(idle > DECAY_AFTER_MS) || idle < estimate * 4) return estimate;
    const silence = idle - Math.max(DECAY_AFTER_MS, estimate * 4);
    const floor = interpolate(this.#fastest, rows);
    return Math.max(Math.min(floor, estimate), estimate * 2 ** (-silence / DECAY_HALF_LIFE_MS));
  }

  #inherit(ancestor: LatencyCurve): void {
    const ratio = 2 ** ((this.sizeClass - ancestor.sizeClass) / CELLS_PER_OCTAVE);
    ancestor.#cells.forEach((window, cell) => {
      if (window === undefined) return;
      const own = new SampleWindow();
      own.record(window.quantile(0.5) * ratio, ancestor.#lastRunAt);
      this.#cells[cell] = own;
    });
    this.#lastRunAt = ancestor.#lastRunAt;
    this.#stale = true;
  }

  #refresh(): void {
    if (!this.#stale) return;
    this.#stale = false;
    this.#goodRows.length = 0;
    const size = this.#cells.length;
    if (this.#p50.length !== size) {
      this.#p50 = new Float64Array(size);
      this.#p99 = new Float64Array(size);
      this.#fastest = new Float64Array(size);
    }
    for (let cell = 0; cell < size; cell++) {
      const window = this.#cells[cell];
      if (window === undefined) continue;
      const p50 = window.quantile(0.5);
      const tail =
        window.count < FEW_SAMPLES ? window.longest * FEW_SAMPLES_MARGIN : window.quantile(0.99);
      this.#p50[cell] = p50;
      this.#p99[cell] = Math.min(tail, p50 * MAX_TAIL);
      this.#fastest[cell] = window.fastest;
    }
    this.#fillGaps(this.#p50);
    this.#fillGaps(this.#p99);
    this.#fillGaps(this.#fastest);
    // Fewer rows never take longer: a fresh large batch corrects what is stale below it.
    for (let cell = size - 2; cell >= 0; cell--) {
      if (this.#p50[cell]! > this.#p50[cell + 1]!) this.#p50[cell] = this.#p50[cell + 1]!;
    }
  }

  /** Interpolates over rows; the last cell always holds samples, below the first one it is constant. */
  #fillGaps(estimates: Float64Array): void {
    let known = -1;
    for (let cell = 0; cell < estimates.length; cell++) {
      if (this.#cells[cell] === undefined) continue;
      const value = estimates[cell]!;
      for (let gap = known + 1; gap < cell; gap++) {
        if (known < 0) estimates[gap] = value;
        else {
          const from = rowsOf(known);
          const part = (rowsOf(gap) - from) / (rowsOf(cell) - from);
          estimates[gap] = estimates[known]! + part * (value - estimates[known]!);
        }
      }
      known = cell;
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
function interpolate(estimates: Float64Array, rows: number): number {
  if (estimates.length === 0) return 0;
  const cell = cellOf(rows);
  const last = estimates.length - 1;
  if (cell > last) {
    const end = estimates[last]!;
    const endRows = rowsOf(last);
    const before = Math.max(0, last - CELLS_PER_OCTAVE);
    const slope =
      before === last
        ? end / endRows
        : Math.max(0, end - estimates[before]!) / (endRows - rowsOf(before));
    return end + Math.min(slope, end / endRows) * (rows - endRows);
  }
  const upper = rowsOf(cell);
  const above = estimates[cell]!;
  if (upper === rows || cell === 0) return above;
  const lower = rowsOf(cell - 1);
  const below = estimates[cell - 1]!;
  return below + ((above - below) * (rows - lower)) / (upper - lower);
}
