/** The normal distribution to the precision of a double, in its tails too. */

/** Points of a quadrature per standard deviation; its error falls exponentially with them. */
export const POINTS = 16;
/** Tails beyond this many standard deviations are below the precision of a double. */
export const TAIL = 14;

const SERIES_UP_TO = 2.5;

/** The mass of N(0, 1) above `x`; small values keep their relative precision. */
export function upperTail(x: number): number {
  if (x < 0) return 1 - upperTail(-x);
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  return x < SERIES_UP_TO ? 0.5 - density * series(x) : density * fraction(x);
}

/** The masses below and above a point. */
export interface Tails {
  readonly below: number;
  readonly above: number;
}

/** The tails of N(mean, deviation²) at `x`. */
export function tailsAt(x: number, mean: number, deviation: number): Tails {
  const at = (x - mean) / deviation;
  const small = upperTail(Math.abs(at));
  return at > 0 ? { below: 1 - small, above: small } : { below: small, above: 1 - small };
}

/** The mass between two points, from the side where both tails are small: the difference keeps its digits. */
export function massBetween(from: Tails, to: Tails): number {
  return from.above < to.below ? from.above - to.above : to.below - from.below;
}

/** (Φ(x) − ½) ÷ φ(x) = x + x³/3 + x⁵/15 + …: Marsaglia 2004. */
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let i = 3; term > sum * 1e-17; i += 2) {
    term *= (x * x) / i;
    sum += term;
  }
  return sum;
}

/** Mills' ratio as a continued fraction, from its end to its beginning. */
function fraction(x: number): number {
  let value = x;
  // Enough for every digit: the fraction converges faster for a larger x.
  for (let i = Math.ceil(16 + 640 / (x * x)); i > 0; i--) value = x + i / value;
  return 1 / value;
}

/** log Σ e^log, without overflow. */
export function logSum(logs: readonly number[]): number {
  let top = -Infinity;
  for (const value of logs) top = Math.max(top, value);
  let sum = 0;
  for (const value of logs) sum += Math.exp(value - top);
  return top + Math.log(sum);
}
