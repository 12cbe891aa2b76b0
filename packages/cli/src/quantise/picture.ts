/** Draws a quantised model: its variants by size and time, and its layers by size and error. One SVG file. */
import { logarithmicTicks, px, svgChart, text, WIDTH } from '@skein/api/svg-chart';
import { formatBytes } from '@skein/api/units';
import { percent, type Quantised, type Shown } from './result.ts';

const RIGHT = 40;
const ROW = 22;
const TOP = 104;
/** Left ends of the two columns of bars. */
const NAMES = 236;
const SECOND = 580;
const FIRST_WIDTH = SECOND - NAMES - 90;
const SECOND_WIDTH = WIDTH - RIGHT - SECOND;
/** Layers that fit a page; the others are the ones with the least error. */
const MOST_LAYERS = 60;

const CSS = `
svg{--a:#12508f;--b:#9fc0e2;--c:#c2571a;--d:#2a7d5f}
@media(prefers-color-scheme:dark){svg{--a:#7cbcf5;--b:#2f5679;--c:#f2a065;--d:#5fd0a5}}
.ink{fill:var(--ink)}.now{fill:var(--a)}.was{fill:var(--b)}.e8{fill:var(--d)}.e4{fill:var(--c)}.own{stroke:var(--ink);stroke-width:2;fill:none}`;

export function quantisedPicture(result: Quantised): string {
  const { model, chosen, target, layers, float } = result;
  const built = result.variants.filter(({ bytes }) => bytes !== undefined);
  const worst = new Set(layers.toSorted((a, b) => b.error4 - a.error4).slice(0, MOST_LAYERS));
  const shown = layers.filter((each) => worst.has(each));
  const variants = variantBars([floatRow(result), ...built], result);
  const from = TOP + (built.length + 1) * ROW + 70;
  const title = `${model}, quantised`;
  const subtitle = `${chosen}: ${formatBytes(built.find(({ name }) => name === chosen)?.bytes ?? 0)} of ${formatBytes(float.bytes)}; times on ${target}`;
  return svgChart(
    { title, subtitle, label: `${title}. ${subtitle}` },
    from + shown.length * ROW + 40,
    CSS,
    [...variants, ...layerBars(shown, from)],
  );
}

function floatRow({ float }: Quantised): Shown {
  const timings = Object.entries(float.ms).map(
    ([runtime, ms]) => [runtime, { ms, floatMs: ms, ratio: 1 }] as const,
  );
  const { bytes } = float;
  return { name: 'float32', summary: '', bytes, timings: Object.fromEntries(timings), notRun: {} };
}

/** Bytes on the left, time over the float model's on the right. */
function variantBars(rows: readonly Shown[], { chosen, target }: Quantised): string[] {
  const largest = Math.max(...rows.map(({ bytes = 0 }) => bytes));
  const ratios = rows.map(({ timings }) => timings[target]?.ratio ?? 0);
  const slowest = Math.max(...ratios);
  return [
    text(NAMES, TOP - 14, 'axis', 'size'),
    text(SECOND, TOP - 14, 'axis', `time over float32 on ${target}`),
    ...rows.flatMap(({ name, bytes = 0, error }, at) => {
      const y = TOP + at * ROW;
      const css = name === chosen ? 'now' : 'was';
      const label =
        error === undefined ? formatBytes(bytes) : `${formatBytes(bytes)}, error ${percent(error)}`;
      return [
        text(NAMES - 12, y + 12, name === chosen ? 'ink' : 'axis', name, 'end'),
        bar(NAMES, y, (FIRST_WIDTH * bytes) / largest, css),
        text(NAMES + (FIRST_WIDTH * bytes) / largest + 6, y + 12, 'axis', label),
        bar(SECOND, y, ((SECOND_WIDTH - 50) * ratios[at]!) / slowest, css),
        text(
          SECOND + ((SECOND_WIDTH - 50) * ratios[at]!) / slowest + 6,
          y + 12,
          'axis',
          ratios[at] === 0 ? '–' : ratios[at]!.toFixed(2),
        ),
      ];
    }),
  ];
}

/** Bytes before and after on the left; on the right errors at 8 and at 4 bits, and in the own form, logarithmic. */
function layerBars(layers: Quantised['layers'], top: number): string[] {
  const largest = Math.max(1, ...layers.map(({ floatBytes }) => floatBytes));
  const errors = layers
    .flatMap(({ error, error4, error8 }) => [error, error4, error8])
    .filter((each) => each > 0 && Number.isFinite(each));
  const ticks = logarithmicTicks(Math.min(0.001, ...errors), Math.max(0.01, ...errors));
  const [low, high] = [Math.log10(ticks[0]!), Math.log10(ticks.at(-1)!)];
  const place = (error: number): number => {
    const share = (Math.log10(Math.max(error, ticks[0]!)) - low) / (high - low);
    return SECOND + SECOND_WIDTH * Math.min(1, share);
  };
  const bottom = top + layers.length * ROW;
  return [
    text(NAMES, top - 26, 'axis', 'layers: size as float32, and now'),
    text(SECOND, top - 40, 'axis', 'error that the layer causes, logarithmic:'),
    ...legend(top - 24),
    ...ticks.flatMap((tick) => [
      `<path class="grid" d="M${px(place(tick))} ${px(top - 4)}V${px(bottom)}"/>`,
      ...(ticks.length > 5 && isTwo(tick)
        ? []
        : [text(place(tick), bottom + 14, 'axis', tickText(tick), 'middle')]),
    ]),
    ...layers.flatMap(({ name, form, floatBytes, bytes, error, error8, error4 }, at) => {
      const y = top + at * ROW;
      const own = place(error);
      return [
        text(NAMES - 12, y + 12, 'axis', shortened(name), 'end'),
        bar(NAMES, y, (FIRST_WIDTH * floatBytes) / largest, 'was'),
        bar(NAMES, y, (FIRST_WIDTH * bytes) / largest, 'now'),
        text(NAMES + (FIRST_WIDTH * floatBytes) / largest + 6, y + 12, 'axis', form),
        dot(place(error8), y + 8, 'e8'),
        dot(place(error4), y + 8, 'e4'),
        ...(form === 'float'
          ? []
          : [`<circle class="own" cx="${px(own)}" cy="${px(y + 8)}" r="6"/>`]),
      ];
    }),
  ];
}

function legend(y: number): string[] {
  return [
    dot(SECOND + 6, y - 4, 'e8'),
    text(SECOND + 16, y, 'axis', '8 bits'),
    dot(SECOND + 70, y - 4, 'e4'),
    text(SECOND + 80, y, 'axis', '4 bits'),
    `<circle class="own" cx="${SECOND + 138}" cy="${px(y - 4)}" r="6"/>`,
    text(SECOND + 150, y, 'axis', 'in its form'),
  ];
}

const bar = (x: number, y: number, width: number, css: string): string =>
  `<rect class="${css}" x="${px(x)}" y="${px(y)}" width="${px(Math.max(1, width))}" height="14" rx="2"/>`;
const dot = (x: number, y: number, css: string): string =>
  `<circle class="${css}" cx="${px(x)}" cy="${px(y)}" r="4"/>`;
/** 2 times a power of ten, whose label would touch the next. */
const isTwo = (tick: number): boolean => tick.toExponential(0).startsWith('2');
const tickText = (tick: number): string => `${Number((100 * tick).toPrecision(2))} %`;
const shortened = (name: string): string => (name.length > 26 ? `…${name.slice(-25)}` : name);
