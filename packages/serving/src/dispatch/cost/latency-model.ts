/**
 * Predicts how long a run takes, by the sizes of its inputs and by rows, from measured runs.
 *
 * What drives the cost is the elements of each input. Every input has size classes of a quarter of
 * an octave of elements per row, and the classes of all inputs are a *bucket* with its own curve
 * over rows (`latency-curve.ts`). All buckets share one pace (`pace.ts`):
 *
 *     p50(rows) = shape(rows) · level           p99(rows) = p50(rows) · tail
 *
 * A bucket without a run has an extrapolation: the shape of the nearest bucket that has run, times
 * the square root of the ratio of the input that differs most. The cost may be fixed, or in
 * proportion; the geometric middle is wrong by the smallest factor in the worst case. It is never
 * outside of what smaller and larger buckets have cost, and it is marked, because a guess must not
 * be a reason to refuse: see `policy/scheduler.ts`.
 *
 * Durations are measured from hand-over to result in the dispatcher, in milliseconds, so they
 * include the wake-up of the thread.
 */
import { LatencyCurve, type CostGuess, type KnownLatency } from './latency-curve.ts';
import { Pace } from './pace.ts';
import { CELLS_PER_OCTAVE } from './row-cells.ts';

/** Buckets that are kept: as many as lanes. */
const MAX_BUCKETS = 256;

/** The measurements behind the estimates of a version. */
export interface Evidence {
  /** Measured runs, warming included. */
  readonly runs: number;
  /** Sizes of inputs that have run, to a quarter of an octave. */
  readonly sizes: number;
}

export class LatencyModel {
  readonly #pace = new Pace();
  /** By bucket; the one that was asked for or ran last is the last. */
  readonly #curves = new Map<string, LatencyCurve>();
  /** The curve that ran last, for snapshots. */
  #latest: LatencyCurve | undefined;
  /** Grows when measured costs change that a guess may rest on. */
  #revision = 0;
  #runs = 0;

  /** @param elements per row, of each input. */
  curve(elements: readonly number[]): LatencyCurve {
    const bucket = elements.map((count) =>
      Math.round(CELLS_PER_OCTAVE * Math.log2(Math.max(1, count))),
    );
    const key = bucket.join();
    let curve = this.#curves.get(key);
    if (curve === undefined) {
      curve = new LatencyCurve(this.#pace, {
        bucket,
        revision: () => this.#revision,
        guess: () => this.#guess(bucket),
        leastMs: (rows) => this.#least(bucket, rows),
        ran: (used, isNew) => {
          this.#latest = used;
          this.#runs++;
          if (isNew) this.#revision++;
          this.#keep(key, used);
        },
      });
    }
    this.#keep(key, curve);
    return curve;
  }

  /** A lane keeps its curve, so a curve may run that was removed here. */
  #keep(key: string, curve: LatencyCurve): void {
    this.#curves.delete(key);
    if (this.#curves.size >= MAX_BUCKETS) this.#forgetOne();
    this.#curves.set(key, curve);
  }

  known(): KnownLatency[] {
    return this.#latest?.known() ?? [];
  }

  /** Buckets in memory, with and without runs. */
  get buckets(): number {
    return this.#curves.size;
  }

  get evidence(): Evidence {
    return { runs: this.#runs, sizes: [...this.#measured()].length };
  }

  *#measured(): Iterable<LatencyCurve> {
    for (const curve of this.#curves.values()) if (curve.runs > 0) yield curve;
  }

  /** Rather one that has not run: the guesses for its size lose nothing. */
  #forgetOne(): void {
    let oldest: string | undefined;
    for (const [key, { runs }] of this.#curves) {
      oldest ??= key;
      if (runs > 0) continue;
      oldest = key;
      break;
    }
    if (oldest !== undefined) this.#curves.delete(oldest);
  }

  /**
   * The nearest measured bucket, and by how much the costs differ; undefined if nothing has run. One
   * pass over the buckets: a caller can send ever new sizes.
   */
  #guess(bucket: readonly number[]): CostGuess | undefined {
    let from: LatencyCurve | undefined;
    let nearest = Infinity;
    const smaller: LatencyCurve[] = [];
    const larger: LatencyCurve[] = [];
    for (const curve of this.#measured()) {
      if (isWithin(curve.bucket, bucket)) smaller.push(curve);
      else if (isWithin(bucket, curve.bucket)) larger.push(curve);
      const distance = Math.abs(furthest(bucket, curve.bucket));
      if (distance >= nearest) continue;
      nearest = distance;
      from = curve;
    }
    if (from === undefined) return undefined;
    const ratio = 2 ** (furthest(bucket, from.bucket) / CELLS_PER_OCTAVE);
    return {
      from,
      factor: Math.sqrt(ratio),
      atLeast: (rows) => dearest(smaller, rows),
      atMost: (rows) =>
        larger.reduce((most, curve) => Math.min(most, curve.shapeMs(rows)), Infinity),
    };
  }

  /** Cost at level 1 of the dearest measured bucket that is not larger in any input. */
  #least(bucket: readonly number[], rows: number): number {
    const smaller = [...this.#measured()].filter((curve) => isWithin(curve.bucket, bucket));
    return dearest(smaller, rows);
  }
}

function dearest(curves: readonly LatencyCurve[], rows: number): number {
  return curves.reduce((least, curve) => Math.max(least, curve.measuredMs(rows)), 0);
}

/** The largest difference of classes in one input, with its sign. */
function furthest(bucket: readonly number[], other: readonly number[]): number {
  let largest = 0;
  for (let i = 0; i < bucket.length; i++) {
    const difference = bucket[i]! - other[i]!;
    if (Math.abs(difference) > Math.abs(largest)) largest = difference;
  }
  return largest;
}

function isWithin(bucket: readonly number[], larger: readonly number[]): boolean {
  for (let i = 0; i < bucket.length; i++) if (bucket[i]! > larger[i]!) return false;
  return true;
}
