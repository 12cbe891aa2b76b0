/** An axis with round numbers that all values lie on: logarithmic where they span more than a decade. */
export interface Axis {
  readonly logarithmic: boolean;
  readonly ticks: readonly number[];
  /** From 0 at the lowest tick to 1 at the highest. */
  readonly place: (value: number) => number;
}

const DECADE = 10;

export function axisOf(values: readonly number[], mayBeLogarithmic: boolean): Axis {
  const low = Math.min(...values);
  const high = Math.max(...values);
  return mayBeLogarithmic && low > 0 && high / low > DECADE
    ? logarithmicAxis(low, high)
    : linearAxis(low, high);
}

function linearAxis(low: number, high: number): Axis {
  const size = Math.max(Math.abs(low), Math.abs(high));
  // A constant series is shown with a small range around it.
  const span = high - low > size * 1e-9 ? high - low : size > Number.MIN_VALUE * 2 ** 52 ? size : 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => span / (factor * power) <= 5) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return {
    logarithmic: false,
    ticks,
    place: (value) => (value - first * step) / ((last - first) * step),
  };
}

function logarithmicAxis(low: number, high: number): Axis {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const steps = last - first > 3 ? [1] : [1, 2, 5];
  const all: number[] = [];
  for (let power = first; power <= last; power++) {
    for (const step of steps) all.push(step * 10 ** power);
  }
  const from = all.findLastIndex((tick) => tick <= low);
  const to = all.findIndex((tick) => tick >= high);
  const ticks = all.slice(from, to + 1);
  const bottom = Math.log10(ticks[0]!);
  const top = Math.log10(ticks.at(-1)!);
  return {
    logarithmic: true,
    ticks,
    place: (value) => (Math.log10(value) - bottom) / (top - bottom),
  };
}
