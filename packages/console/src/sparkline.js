/** A small line over time, with the bound it has to stay under. */
import { svg } from './dom.js';

const WIDTH = 108;
const HEIGHT = 34;

/**
 * @param values oldest first; null where nothing was measured, which leaves a gap.
 * @param options.capacity values that fill the width.
 * @param options.bound drawn dashed, and always in sight.
 */
export function sparkline(values, { capacity, bound, label }) {
  const known = values.filter((value) => value !== null);
  const top = Math.max(...known, bound ?? 0, 1e-9) * 1.12;
  const x = (index) => ((index + capacity - values.length) / (capacity - 1)) * WIDTH;
  const y = (value) => HEIGHT - 1 - (value / top) * (HEIGHT - 2);
  let line = '';
  let area = '';
  let start = null;
  values.forEach((value, index) => {
    if (value === null) {
      area += close(start, index - 1);
      start = null;
      return;
    }
    const point = `${x(index).toFixed(1)},${y(value).toFixed(1)}`;
    line += `${start === null ? 'M' : 'L'}${point}`;
    area += start === null ? `M${x(index).toFixed(1)},${HEIGHT}L${point}` : `L${point}`;
    start ??= index;
  });
  area += close(start, values.length - 1);

  function close(from, to) {
    return from === null ? '' : `L${x(to).toFixed(1)},${HEIGHT}Z`;
  }

  const last = values.at(-1);
  return svg(
    'svg',
    {
      class: 'sparkline',
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      width: WIDTH,
      height: HEIGHT,
      role: 'img',
      'aria-label': label,
    },
    svg('path', { class: 'area', d: area }),
    bound === undefined
      ? null
      : svg('line', { class: 'bound', x1: 0, x2: WIDTH, y1: y(bound), y2: y(bound) }),
    svg('path', { class: 'line', d: line }),
    last === null || last === undefined
      ? null
      : svg('circle', { class: 'now', cx: x(values.length - 1) - 1.5, cy: y(last), r: 2 }),
  );
}
