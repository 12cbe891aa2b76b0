/** Curves over epochs: one chart per metric, one line per run. */
import { h, svg } from '../dom.js';
import { metric, spaced } from '../format.js';

const WIDTH = 420;
const HEIGHT = 190;
const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 26;

/** Which curves share a chart: the loss of what was trained on and of what was not. */
const LOSSES = ['loss', 'validationLoss'];

/** @param runs one, or two to compare. @returns a figure for the losses and for each other metric. */
export function curvesOf(runs) {
  const names = new Set(
    runs.flatMap(({ epochs }) => epochs.flatMap(({ metrics }) => Object.keys(metrics))),
  );
  const others = [...names].filter((name) => !LOSSES.includes(name)).slice(0, 24);
  const line = (run, name, index, alone) => ({
    label: [runs.length > 1 ? run.id : '', runs.length > 1 && alone ? '' : spaced(name)]
      .filter((part) => part !== '')
      .join(', '),
    run: index,
    dashed: name === 'validationLoss',
    points: run.epochs
      .map(({ epoch, loss, metrics }) => [epoch, name === 'loss' ? loss : metrics[name]])
      .filter(([, value]) => Number.isFinite(value)),
  });
  const chart = (title, metrics) => {
    const lines = runs.flatMap((run, index) =>
      metrics.map((name) => line(run, name, index, metrics.length === 1)),
    );
    const drawn = lines.filter(({ points }) => points.length > 0);
    return drawn.length === 0 ? [] : [figure(title, drawn, runs)];
  };
  return [...chart('loss', LOSSES), ...others.flatMap((name) => chart(spaced(name), [name]))];
}

function figure(title, lines, runs) {
  const all = lines.flatMap(({ points }) => points);
  const lastEpoch = Math.max(...all.map(([epoch]) => epoch), 2);
  const scale = niceScale(all.map(([, value]) => value));
  const x = (epoch) => LEFT + ((epoch - 1) / (lastEpoch - 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) =>
    TOP + ((scale.top - value) / (scale.top - scale.bottom)) * (HEIGHT - TOP - BOTTOM);
  const said = lines.map(({ label, points }) => {
    const [[, first], [epoch, last]] = [points[0], points.at(-1)];
    return `${label} from ${metric(first)} to ${metric(last)} in epoch ${epoch}`;
  });
  const best = runs.length === 1 ? runs[0].result?.bestEpoch : undefined;
  return h(
    'figure',
    { class: 'panel curve' },
    h('figcaption', null, h('strong', null, title), legend(lines)),
    svg(
      'svg',
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        role: 'img',
        'aria-label': `${title} over epochs: ${said.join('; ')}`,
      },
      scale.ticks.map((tick) => [
        svg('line', { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) }),
        svg('text', { x: LEFT - 8, y: y(tick) + 4, 'text-anchor': 'end' }, metric(tick)),
      ]),
      [1, lastEpoch].map((epoch) =>
        svg(
          'text',
          { x: x(epoch), y: HEIGHT - 8, 'text-anchor': epoch === 1 ? 'start' : 'end' },
          epoch === 1 ? 'epoch 1' : String(epoch),
        ),
      ),
      best === undefined
        ? null
        : svg(
            'g',
            { class: 'best' },
            svg('line', { x1: x(best), x2: x(best), y1: TOP, y2: HEIGHT - BOTTOM }),
            svg('title', null, `best epoch: ${best}`),
          ),
      lines.map(({ points, run, dashed }) => {
        const path = points.map(
          ([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`,
        );
        const [lastX, lastY] = path.at(-1).split(',');
        return svg(
          'g',
          { class: 'series', 'data-run': run, 'data-dashed': dashed },
          svg('polyline', { points: path.join(' ') }),
          svg('circle', { cx: lastX, cy: lastY, r: 2.6 }),
        );
      }),
    ),
  );
}

function legend(lines) {
  return h(
    'span',
    { class: 'legend' },
    lines.map(({ label, run, dashed, points }) =>
      h(
        'span',
        { 'data-run': run, 'data-dashed': dashed },
        h('i', { 'aria-hidden': 'true' }),
        `${label} ${metric(points.at(-1)[1])}`,
      ),
    ),
  );
}

/** Bounds and ticks at round numbers, of which all values are inside. */
export function niceScale(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const size = Math.max(Math.abs(low), Math.abs(high));
  // A difference that is too small to be drawn is none.
  const span = Math.max(high - low, size * 1e-9, 1e-200);
  const rough = span / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  const bottom = Math.floor(low / step) * step;
  const count = Math.max(Math.ceil((high - bottom) / step - 1e-9), 1);
  const ticks = Array.from({ length: count + 1 }, (_, index) =>
    Number((bottom + index * step).toPrecision(12)),
  );
  return { bottom: ticks[0], top: ticks.at(-1), ticks };
}
