/** Curves over epochs: one chart for the losses and one for each other metric, one line per run. */
import type { Run } from '@skein/api';
import { Chart, ChartNumbers, metric, spaced, type ChartLine } from '@skein/ui';

type Trained = Pick<Run, 'id' | 'epochs' | 'result'>;

const HEIGHT = 190;
const METRICS = 24;

/** The curves that share a chart: the losses of training and validation rows. */
const LOSSES = ['loss', 'validationLoss'];

interface Curve {
  readonly title: string;
  readonly lines: readonly ChartLine[];
}

/** @param runs one, or two to compare. */
export function curvesOf(runs: readonly Trained[]): Curve[] {
  const names = new Set(
    runs.flatMap(({ epochs }) => epochs.flatMap(({ metrics }) => Object.keys(metrics))),
  );
  const others = [...names].filter((name) => !LOSSES.includes(name)).slice(0, METRICS);
  const curve = (title: string, metrics: readonly string[]): Curve => ({
    title,
    lines: runs
      .flatMap((run, index) =>
        metrics.map((name) => lineOf(run, name, index, runs.length > 1, metrics.length === 1)),
      )
      .filter(({ points }) => points.length > 0),
  });
  return [curve('loss', LOSSES), ...others.map((name) => curve(spaced(name), [name]))].filter(
    ({ lines }) => lines.length > 0,
  );
}

function lineOf(
  { id, epochs }: Trained,
  name: string,
  index: number,
  compared: boolean,
  alone: boolean,
): ChartLine {
  const label = [compared ? id : '', compared && alone ? '' : spaced(name)];
  return {
    label: label.filter((part) => part !== '').join(', '),
    colour: index === 0 ? 'first' : 'second',
    dashed: name === 'validationLoss',
    points: epochs.flatMap(({ epoch, loss, metrics }) => {
      const value = name === 'loss' ? loss : metrics[name];
      return value === undefined || !Number.isFinite(value) ? [] : [[epoch, value] as const];
    }),
  };
}

export function Curves({ runs }: { readonly runs: readonly Trained[] }) {
  const best = runs.length === 1 ? runs[0]?.result?.bestEpoch : undefined;
  return (
    <div class="curves">
      {curvesOf(runs).map(({ title, lines }) => (
        <figure class="panel curve" key={title}>
          <figcaption>
            <strong>{title}</strong>
            <span class="legend">
              {lines.map(({ label, colour, dashed, points }) => (
                <span
                  data-run={colour === 'first' ? 0 : 1}
                  data-dashed={dashed === true ? '' : undefined}
                >
                  <i aria-hidden="true" />
                  {`${label} ${metric(points.at(-1)?.[1])}`}
                </span>
              ))}
            </span>
          </figcaption>
          <Chart
            lines={lines}
            label={`${title} over epochs: ${lines.map(describe).join('; ')}`}
            mark={best}
            height={HEIGHT}
            size="large"
          />
          <ChartNumbers lines={lines} xTitle="epoch" />
        </figure>
      ))}
    </div>
  );
}

function describe({ label, points }: ChartLine): string {
  const [first, last] = [points[0], points.at(-1)];
  return `${label} from ${metric(first?.[1])} to ${metric(last?.[1])} in epoch ${last?.[0]}`;
}
