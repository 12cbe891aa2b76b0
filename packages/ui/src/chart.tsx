/**
 * Lines over a common axis, drawn by uPlot: the curves of a run, and small lines that show the last
 * minute. Colours come from the theme, so a chart follows light and dark.
 *
 * A screen reader cannot read a canvas: every chart has a label with the first and the last value of its
 * lines, and a large one has its numbers as a table.
 */
import { useEffect, useRef } from 'preact/hooks';
import UPlot, { type AlignedData, type Axis, type Options, type Series } from 'uplot';
import { flatRange } from './axis.ts';
import 'uplot/dist/uPlot.min.css';
import './chart.css';
import { metric } from './format.ts';

export type ChartColour = 'first' | 'second' | 'bad';

export interface ChartLine {
  readonly label: string;
  /** Lines that belong together share a colour. */
  readonly colour: ChartColour;
  readonly dashed?: boolean;
  /** `[x, y]`, ascending in x; null leaves a gap. */
  readonly points: readonly (readonly [x: number, y: number | null])[];
}

export interface ChartProps {
  readonly lines: readonly ChartLine[];
  /** A description of the chart for screen readers. */
  readonly label: string;
  /** A horizontal reference line, always in the visible range. */
  readonly bound?: number | undefined;
  /** A vertical line, such as the best epoch. */
  readonly mark?: number | undefined;
  /** Pixels. */
  readonly height: number;
  /** `small`: a line alone, with neither axes nor numbers. */
  readonly size: 'small' | 'large';
  /** Range of the x axis; default: the points' range. */
  readonly xRange?: readonly [from: number, to: number] | undefined;
}

const COLOURS = { first: '--accent', second: '--warn', bad: '--bad' } as const;

/** All x in ascending order, and each line's y at each of them; undefined where it has none. */
export function alignedData(lines: readonly ChartLine[], bound?: number): AlignedData {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort(
    (a, b) => a - b,
  );
  const columns = lines.map(({ points }) => {
    const known = new Map(points);
    return xs.map((x) => known.get(x));
  });
  const level = bound === undefined ? [] : [xs.map(() => bound)];
  return [xs, ...columns, ...level];
}

export function Chart(props: ChartProps) {
  const { lines, label, bound, height, size } = props;
  const place = useRef<HTMLSpanElement>(null);
  const plot = useRef<UPlot | undefined>(undefined);
  const shape = JSON.stringify([
    lines.map(({ label: name, colour, dashed }) => [name, colour, dashed]),
    bound !== undefined,
    props.mark,
    props.xRange,
    height,
    size,
  ]);
  useEffect(() => {
    const parent = place.current;
    if (parent === null) return;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new UPlot(optionsOf(props, parent), alignedData(lines, bound), parent);
    };
    draw();
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    const resized = new ResizeObserver(() => {
      const width = parent.clientWidth;
      if (width > 0 && width !== plot.current?.width) plot.current?.setSize({ width, height });
    });
    resized.observe(parent);
    return () => {
      dark.removeEventListener('change', draw);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);
  useEffect(() => {
    plot.current?.setData(alignedData(lines, bound));
  });
  return (
    <span
      class={`chart ${size}`}
      ref={place}
      role="img"
      aria-label={label}
      data-points={lines.map(({ points }) => points.length).join(' ')}
      style={{ height: `${height}px` }}
    />
  );
}

function optionsOf({ lines, bound, mark, height, size, xRange }: ChartProps, parent: Element) {
  const colourOf = (name: string): string => {
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    parent.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  const font = `12px ${getComputedStyle(parent).fontFamily}`;
  const large = size === 'large';
  const axis = (values: NonNullable<Axis['values']>, space: number): Axis => ({
    show: large,
    stroke: colourOf('--muted'),
    grid: { stroke: colourOf('--line'), width: 1 },
    ticks: { show: false },
    font,
    space,
    values,
  });
  const series: Series[] = lines.map(({ label, colour, dashed }) => {
    const stroke = colourOf(COLOURS[colour]);
    return {
      label,
      stroke,
      width: large ? 2 : 1.5,
      points: { show: false },
      spanGaps: large,
      ...(dashed === true ? { dash: [6, 4] } : {}),
      ...(large ? {} : { fill: stroke.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.12)') }),
    };
  });
  const level: Series[] =
    bound === undefined
      ? []
      : [
          {
            label: 'bound',
            stroke: colourOf('--muted'),
            width: 1,
            dash: [3, 3],
            points: { show: false },
          },
        ];
  const marked = colourOf('--muted');
  const options: Options = {
    width: Math.max(parent.clientWidth, 40),
    height,
    padding: large ? [10, 12, 0, 0] : [2, 1, 2, 1],
    legend: { show: false },
    cursor: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: { time: false, ...(xRange === undefined ? {} : { range: [xRange[0], xRange[1]] }) },
      y: {
        range: large
          ? (_, low, high) => flatRange(low, high, bound) ?? UPlot.rangeNum(low, high, 0.1, true)
          : (_, __, high) => [0, Math.max(high ?? 0, 1e-9) * 1.12],
      },
    },
    axes: [
      {
        ...axis(
          (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? String(tick) : '')),
          40,
        ),
        size: 28,
      },
      { ...axis((_, ticks) => ticks.map((tick) => metric(tick)), 34), size: 58 },
    ],
    series: [{}, ...series, ...level],
    hooks: {
      draw: [
        (drawn) => {
          if (mark === undefined) return;
          const x = Math.round(drawn.valToPos(mark, 'x', true));
          const { left, top, width, height: tall } = drawn.bbox;
          if (x < left || x > left + width) return;
          drawn.ctx.save();
          drawn.ctx.strokeStyle = marked;
          drawn.ctx.setLineDash([2, 4]);
          drawn.ctx.beginPath();
          drawn.ctx.moveTo(x, top);
          drawn.ctx.lineTo(x, top + tall);
          drawn.ctx.stroke();
          drawn.ctx.restore();
        },
      ],
    },
  };
  return options;
}

/** The numbers of a chart as a table, for screen readers and for exact values. */
export function ChartNumbers({
  lines,
  xTitle,
}: {
  readonly lines: readonly ChartLine[];
  readonly xTitle: string;
}) {
  const [xs, ...columns] = alignedData(lines);
  return (
    <details class="numbers">
      <summary>Numbers</summary>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">{xTitle}</th>
              {lines.map(({ label }) => (
                <th scope="col">{label}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {Array.from(xs, (x, row) => (
              <tr>
                <th scope="row">{x}</th>
                {columns.map((column) => (
                  <td>{metric(column[row])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
