/** Line charts as one SVG file without scripts or fonts, for light and dark pages. */
import { LEFT, logarithmicTicks, px, spread, text, WIDTH } from '@skein/api/svg-chart';

export const RIGHT = 168;

/** For `svgChart`. */
export const LINES_CSS = `
svg{--c0:#12508f;--c1:#c2571a;--c2:#2a7d5f;--c3:#7a4fa3}
@media(prefers-color-scheme:dark){svg{--c0:#7cbcf5;--c1:#f2a065;--c2:#5fd0a5;--c3:#c4a1ec}}
.dashed{stroke-dasharray:2 5}.best{stroke:var(--soft);stroke-dasharray:3 4;fill:none}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.t0{fill:var(--c0)}.t1{fill:var(--c1)}.t2{fill:var(--c2)}.t3{fill:var(--c3)}`;

export interface Series {
  readonly label: string;
  readonly colour: number;
  readonly dashed: boolean;
  readonly points: readonly { readonly x: number; readonly value: number }[];
}

/** One or more lines over a common axis, with their last values at their ends. */
export function panel(
  title: string,
  series: readonly Series[],
  { top, bottom }: { top: number; bottom: number },
  x: (at: number) => number,
  mayBeLogarithmic: boolean,
  format: (value: number | undefined) => string,
): string[] {
  const values = series.flatMap(({ points }) => points.map(({ value }) => value));
  const axis: Axis = axisOf(values, mayBeLogarithmic);
  const y = (value: number): number => bottom - axis.place(value) * (bottom - top);
  const labels = series.map((each) => ({ ...each, at: y(each.points.at(-1)?.value ?? 0) }));
  return [
    text(LEFT, top - 12, 'axis', axis.logarithmic ? `${title}, logarithmic` : title),
    ...axis.ticks.flatMap((tick) => [
      `<path class="grid" d="M${LEFT} ${px(y(tick))}H${WIDTH - RIGHT}"/>`,
      text(LEFT - 10, y(tick) + 4, 'axis', shortNumber(tick), 'end'),
    ]),
    ...series.map((each) => line(each, x, y)),
    ...spread(labels).map(({ at, label, colour, points }) =>
      text(
        WIDTH - RIGHT + 10,
        at + 4,
        `t${colour % 4}`,
        `${label} ${format(points.at(-1)?.value)}`,
      ),
    ),
  ];
}

function line(
  { points, colour, dashed }: Series,
  x: (at: number) => number,
  y: (value: number) => number,
): string {
  const css = `s${colour % 4}`;
  const [only, second] = points;
  if (only !== undefined && second === undefined) {
    return `<circle class="${css}" fill="none" stroke-width="2" cx="${px(x(only.x))}" cy="${px(y(only.value))}" r="3"/>`;
  }
  const path = points.map(({ x: at, value }) => `${px(x(at))} ${px(y(value))}`).join('L');
  return `<path class="line ${css}${dashed ? ' dashed' : ''}" d="M${path}"/>`;
}

/** Whole numbers below the panels, up to `last`. */
export function wholeAxis(last: number, x: (at: number) => number, bottom: number): string[] {
  const power = 10 ** Math.floor(Math.log10(Math.max(10, last) / 10));
  const step = power * ([1, 2, 5].find((factor) => last / (factor * power) <= 10) ?? 10);
  const ticks = [];
  for (let at = step; at <= last; at += step) ticks.push(at);
  return ticks.map((at) => text(x(at), bottom + 20, 'axis', String(at), 'middle'));
}

function shortNumber(value: number): string {
  return value === 0 ? '0' : String(Number(value.toPrecision(3)));
}

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
  const ticks = logarithmicTicks(low, high);
  const bottom = Math.log10(ticks[0]!);
  const top = Math.log10(ticks.at(-1)!);
  return {
    logarithmic: true,
    ticks,
    place: (value) => (Math.log10(value) - bottom) / (top - bottom),
  };
}
