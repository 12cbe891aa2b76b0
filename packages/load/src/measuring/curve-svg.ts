/**
 * Draws latency over rate as an SVG: percentiles on a logarithmic scale above, goodput below, the
 * objective and the capacity as lines. One file without scripts or fonts, for light and dark pages.
 */
import { LEFT, logarithmicTicks, px, spread, svgChart, text, WIDTH } from '@skein/api/svg-chart';
import { formatDuration, formatNumber } from '@skein/api/units';
import type { LoadReport } from '../load.ts';

export interface CurvePoint {
  /** Offered requests per second. */
  readonly rate: number;
  readonly report: Pick<LoadReport, 'latency' | 'goodputPerSecond'>;
}

export interface Curve {
  readonly title: string;
  readonly subtitle: string;
  readonly objectiveMs: number;
  /** The highest rate within the objective; absent when it is not known. */
  readonly capacity?: number | undefined;
  /** By rate, at least one. */
  readonly points: readonly CurvePoint[];
}

const HEIGHT = 560;
const RIGHT = 84;
const LATENCY = { top: 92, bottom: 352 };
const GOODPUT = { top: 404, bottom: 500 };

const SERIES = [
  { key: 'p50Ms', label: 'p50', css: 'p50' },
  { key: 'p90Ms', label: 'p90', css: 'p90' },
  { key: 'p99Ms', label: 'p99', css: 'p99' },
  { key: 'p999Ms', label: 'p99.9', css: 'p999' },
] as const;

const CSS = `
svg{--c50:#7fb2e5;--c90:#3b82c4;--c99:#12508f;--c999:#8a94a3;--good:#2a9d6f;--bad:#d1495b}
@media(prefers-color-scheme:dark){svg{--c50:#4b7fae;--c90:#6fb1ec;--c99:#bcdcfa;--c999:#697382;--good:#45c492;--bad:#f07a8a}}
.p50{stroke:var(--c50)}.p90{stroke:var(--c90)}.p99{stroke:var(--c99);stroke-width:2.75}.p999{stroke:var(--c999);stroke-dasharray:1 5}
.dot{fill:var(--bg);stroke-width:2}.t50{fill:var(--c50)}.t90{fill:var(--c90)}.t99{fill:var(--c99);font-weight:600}.t999{fill:var(--c999)}
.objective{stroke:var(--bad);stroke-dasharray:6 4}.capacity{stroke:var(--good);stroke-dasharray:2 4;stroke-width:1.5}.objective-text{fill:var(--bad)}.capacity-text{fill:var(--good);font-weight:600}
.goodput{fill:var(--good);fill-opacity:.16;stroke:none}.goodput-line{stroke:var(--good);fill:none;stroke-width:2;stroke-linejoin:round}.offered{stroke:var(--soft);stroke-dasharray:3 4;fill:none}`;

export function latencyCurve(curve: Curve): string {
  const points = curve.points.toSorted((a, b) => a.rate - b.rate);
  const maxRate = niceCeiling(Math.max(...points.map((point) => point.rate)));
  const x = (rate: number): number => LEFT + (rate / maxRate) * (WIDTH - LEFT - RIGHT);
  const latencies = points
    .flatMap(({ report }) => SERIES.map(({ key }) => report.latency[key]))
    .filter((ms): ms is number => ms !== null && ms > 0);
  const ticks = logarithmicTicks(
    Math.min(curve.objectiveMs, ...latencies) * 0.9,
    Math.max(curve.objectiveMs, ...latencies) * 1.15,
  );
  const low = ticks[0] ?? 1;
  const high = ticks.at(-1) ?? 1000;
  const y = scale(Math.log10(low), Math.log10(high), LATENCY);
  const maxGoodput = niceCeiling(
    Math.max(...points.map(({ report }) => report.goodputPerSecond), 1e-3),
  );
  const goodputY = scale(0, maxGoodput, GOODPUT);

  const parts = [
    ...latencyAxis(ticks, (ms) => y(Math.log10(ms))),
    ...rateAxis(maxRate, x),
    text(LEFT, LATENCY.top - 12, 'axis', 'latency from the intended send'),
    text(LEFT, GOODPUT.top - 12, 'axis', 'answered in time, requests/s'),
    ...goodputPanel(points, maxGoodput, x, goodputY),
    ...objectiveLine(curve.objectiveMs, y(Math.log10(curve.objectiveMs))),
    ...(curve.capacity === undefined || curve.capacity <= 0 ? [] : capacityLine(curve.capacity, x)),
    ...seriesLines(points, x, (ms) => y(Math.log10(ms))),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, 'axis', 'requests offered per second', 'middle'),
  ];
  const { title, subtitle } = curve;
  return svgChart({ title, subtitle, label: `${title}. ${subtitle}` }, HEIGHT, CSS, parts);
}

function scale(from: number, to: number, panel: { top: number; bottom: number }) {
  return (value: number): number =>
    panel.bottom - ((value - from) / (to - from)) * (panel.bottom - panel.top);
}

function latencyAxis(ticks: readonly number[], y: (ms: number) => number): string[] {
  return ticks.flatMap((tick) => [
    horizontal('grid', y(tick)),
    text(LEFT - 10, y(tick) + 4, 'axis', formatDuration(tick).replace(/\.0+ /, ' '), 'end'),
  ]);
}

function rateAxis(maxRate: number, x: (rate: number) => number): string[] {
  const parts = [];
  const step = maxRate / 5;
  for (let tick = 0; tick <= 5; tick++) {
    const at = x(tick * step);
    parts.push(
      `<path class="grid" d="M${px(at)} ${LATENCY.top}V${LATENCY.bottom}M${px(at)} ${GOODPUT.top}V${GOODPUT.bottom}"/>`,
      text(
        at,
        GOODPUT.bottom + 20,
        'axis',
        formatNumber(tick * step).replace(/\.0+$/, ''),
        'middle',
      ),
    );
  }
  return parts;
}

function goodputPanel(
  points: readonly CurvePoint[],
  maxGoodput: number,
  x: (rate: number) => number,
  y: (goodput: number) => number,
): string[] {
  const line = points.map(({ rate, report }) => `${px(x(rate))} ${px(y(report.goodputPerSecond))}`);
  const first = points[0]?.rate ?? 0;
  const last = points.at(-1)?.rate ?? 0;
  // The offered rate, up to the top of the panel.
  const offeredTo = Math.min(last, maxGoodput);
  return [
    horizontal('grid', GOODPUT.bottom),
    horizontal('grid', GOODPUT.top),
    text(LEFT - 10, GOODPUT.top + 4, 'axis', formatNumber(maxGoodput).replace(/\.0+$/, ''), 'end'),
    text(LEFT - 10, GOODPUT.bottom + 4, 'axis', '0', 'end'),
    `<path class="offered" d="M${px(x(0))} ${px(y(0))}L${px(x(offeredTo))} ${px(y(offeredTo))}"/>`,
    `<path class="goodput" d="M${px(x(first))} ${GOODPUT.bottom}L${line.join('L')}L${px(x(last))} ${GOODPUT.bottom}Z"/>`,
    `<path class="goodput-line" d="M${line.join('L')}"/>`,
  ];
}

function objectiveLine(objectiveMs: number, y: number): string[] {
  return [
    horizontal('objective', y),
    text(LEFT + 6, y - 7, 'objective-text', `objective ${formatDuration(objectiveMs)}`),
  ];
}

function capacityLine(capacity: number, x: (rate: number) => number): string[] {
  const at = x(capacity);
  const [anchor, offset] =
    at > WIDTH - RIGHT - 190 ? (['end', -8] as const) : (['start', 8] as const);
  return [
    `<path class="capacity" d="M${px(at)} ${LATENCY.top}V${GOODPUT.bottom}"/>`,
    text(
      at + offset,
      LATENCY.top + 14,
      'capacity-text',
      `${formatNumber(capacity)}/s within it`,
      anchor,
    ),
  ];
}

function seriesLines(
  points: readonly CurvePoint[],
  x: (rate: number) => number,
  y: (ms: number) => number,
): string[] {
  const labels: { at: number; label: string; css: string }[] = [];
  const parts = [];
  for (const { key, label, css } of SERIES.toReversed()) {
    const known = points.flatMap(({ rate, report }) => {
      const ms = report.latency[key];
      return ms === null || ms <= 0 ? [] : [{ rate, ms }];
    });
    const last = known.at(-1);
    if (last === undefined) continue;
    const path = known.map(({ rate, ms }) => `${px(x(rate))} ${px(y(ms))}`).join('L');
    parts.push(`<path class="line ${css}" d="M${path}"/>`);
    if (key === 'p99Ms' || known.length === 1) {
      parts.push(
        ...known.map(
          ({ rate, ms }) =>
            `<circle class="dot ${css}" cx="${px(x(rate))}" cy="${px(y(ms))}" r="3.5"/>`,
        ),
      );
    }
    labels.push({ at: y(last.ms), label, css: css.replace('p', 't') });
  }
  const endX = x(points.at(-1)?.rate ?? 0) + 10;
  return [...parts, ...spread(labels).map(({ at, label, css }) => text(endX, at + 4, css, label))];
}

/** The next of 1, 2, 2.5, 5 times a power of ten, or a tenth of it when that is closer. */
export function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find(
    (factor) => factor * power >= value * 0.9999,
  );
  return (step ?? 10) * power;
}

function horizontal(css: string, y: number): string {
  return `<path class="${css}" fill="none" d="M${LEFT} ${px(y)}H${WIDTH - RIGHT}"/>`;
}
