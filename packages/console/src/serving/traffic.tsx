/** The last hour or day of a deployment: its latency against its objective, and its requests. */
import type { DeploymentTraffic, DeploymentView, TrafficRange } from '@skein/api';
import { Chart, ChartNumbers, Trouble, useFresh, type ChartLine } from '@skein/ui';
import { useState } from 'preact/hooks';
import { node } from '../node.ts';

const HEIGHT = 150;
const RANGES: Readonly<Record<TrafficRange, { unit: string; ms: number; from: number }>> = {
  hour: { unit: 'minutes', ms: 60_000, from: -60 },
  day: { unit: 'hours', ms: 3_600_000, from: -24 },
};

type Point = DeploymentTraffic['points'][number];

export function Traffic({ view: { name, settings } }: { readonly view: DeploymentView }) {
  const [range, setRange] = useState<TrafficRange>('hour');
  return (
    <section class="traffic-history" aria-label={`Traffic of ${name}`}>
      <div class="ranges" role="group" aria-label="Time">
        {(['hour', 'day'] as const).map((each) => (
          <button
            type="button"
            class="act"
            aria-pressed={each === range}
            onClick={() => setRange(each)}
          >
            {`Last ${each}`}
          </button>
        ))}
      </div>
      <Charts key={range} name={name} range={range} boundMs={settings.objective.latencyMs} />
    </section>
  );
}

function Charts({
  name,
  range,
  boundMs,
}: {
  readonly name: string;
  readonly range: TrafficRange;
  readonly boundMs: number;
}) {
  const { value, error } = useFresh({ everyMs: 30_000, identity: `${name} ${range}` }, () =>
    node().deploymentTraffic({ name, range }),
  );
  if (error !== undefined) return <Trouble error={error} />;
  if (value === undefined) return null;
  if (value.points.length === 0) {
    return <p class="muted">The first point appears when its interval is over.</p>;
  }
  const { unit, ms, from } = RANGES[range];
  const now = Date.now();
  const line = (
    label: string,
    colour: ChartLine['colour'],
    of: (point: Point) => number | null,
    dashed = false,
  ): ChartLine => ({
    label,
    colour,
    dashed,
    points: value.points.map((point) => [
      Math.round(((Date.parse(point.at) - now) / ms) * 10) / 10,
      of(point),
    ]),
  });
  const latency = [
    line('p99 ms', 'first', ({ p99Ms }) => p99Ms),
    line('p50 ms', 'first', ({ p50Ms }) => p50Ms, true),
  ];
  const requests = [
    line('requests /s', 'first', ({ requestsPerSecond }) => requestsPerSecond),
    line('in time /s', 'first', ({ goodputPerSecond }) => goodputPerSecond, true),
    line('shed /s', 'bad', ({ shedPerSecond }) => shedPerSecond),
  ];
  const chart = (title: string, lines: readonly ChartLine[], bound?: number) => (
    <figure>
      <figcaption>{`${title}; ${unit} from now`}</figcaption>
      <Chart
        lines={lines}
        label={`${title} over the last ${range}`}
        bound={bound}
        height={HEIGHT}
        size="large"
        xRange={[from, 0]}
      />
      <ChartNumbers lines={lines} xTitle={`${unit}, from now`} />
    </figure>
  );
  return (
    <div class="history-charts">
      {chart('p99 (line) and p50 (dashed) in ms; dotted: the objective', latency, boundMs)}
      {chart('requests (line), in time (dashed), shed (red) per second', requests)}
    </div>
  );
}
