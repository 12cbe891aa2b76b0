/**
 * Draws loss above and metrics below over the epochs of one run, or of a few side by side. One file
 * without scripts or fonts, for light and dark pages.
 */
import type { Run } from '@skein/api';
import { LEFT, px, svgChart, text, WIDTH } from '@skein/api/svg-chart';
import { LINES_CSS, panel, RIGHT, type Series, wholeAxis } from '../output/line-chart.ts';
import { formatMetric, metricTitle } from './progress.ts';

const LOSS = { top: 92, bottom: 320 };
const METRIC = { top: 372, bottom: 552 };
const HEIGHT = 606;

/** Metrics that are shares, where more is better: they have one axis. */
const SHARES = ['accuracy', 'macroF1', 'auc', 'r2'];

/** @param runs at least one; more than four share colours. */
export function trainingCurves(runs: readonly Run[]): string {
  const title = runs.map(({ name }) => name).join(' and ');
  const subtitle = runs.map(({ id, task }) => `${id}, ${task}`).join('  ·  ');
  const names = shortNames(runs);
  const losses = runs.flatMap((run, i) => lossSeries(run, i, names[i]));
  const metrics = runs.flatMap((run, i) => metricSeries(run, i, names[i]));
  const last = Math.max(1, ...runs.flatMap(({ epochs }) => epochs.map(({ epoch }) => epoch)));
  const x = (epoch: number): number =>
    LEFT + ((epoch - 1) / Math.max(1, last - 1)) * (WIDTH - LEFT - RIGHT);
  const height = metrics.length === 0 ? HEIGHT - (METRIC.bottom - LOSS.bottom) : HEIGHT;
  const bottom = metrics.length === 0 ? LOSS.bottom : METRIC.bottom;
  const parts = [
    ...panel('loss', losses, LOSS, x, true, formatMetric),
    ...(metrics.length === 0
      ? []
      : panel('on validation rows', metrics, METRIC, x, false, formatMetric)),
    ...wholeAxis(last, x, bottom),
    ...(runs.length === 1 ? bestEpoch(runs[0]!, x, bottom) : []),
    text((LEFT + WIDTH - RIGHT) / 2, bottom + 42, 'axis', 'epoch', 'middle'),
  ];
  const label = `Training of ${title}. ${subtitle}`;
  return svgChart({ title, subtitle, label }, height, LINES_CSS, parts);
}

/** Labels of several runs at their lines; a single run needs none. */
function shortNames(runs: readonly Run[]): readonly (string | undefined)[] {
  if (runs.length === 1) return [undefined];
  const same = new Set(runs.map(({ name }) => name)).size < runs.length;
  return runs.map(({ id, name }) => (same ? id.slice(-6) : name.slice(0, 10)));
}

function lossSeries({ epochs }: Run, index: number, name: string | undefined): Series[] {
  const many = name !== undefined;
  const training = epochs.map(({ epoch, loss }) => ({ x: epoch, value: loss }));
  const held = epochs.flatMap(({ epoch, metrics: { validationLoss: value } }) =>
    value === undefined ? [] : [{ x: epoch, value }],
  );
  const named = (what: string) => (many ? `${name}, ${what}` : what);
  return [
    { label: named('training'), colour: index, dashed: many || held.length > 0, points: training },
    {
      label: named('validation'),
      colour: many ? index : index + 1,
      dashed: false,
      points: held,
    },
  ].filter(({ points }) => points.length > 0);
}

function metricSeries({ epochs }: Run, index: number, name: string | undefined): Series[] {
  const many = name !== undefined;
  const found = SHARES.filter((metric) => epochs.some(({ metrics }) => metric in metrics));
  // Several runs side by side are compared by one metric.
  return (many ? found.slice(0, 1) : found).map((metric, i) => ({
    label: many ? `${name}, ${metricTitle(metric)}` : metricTitle(metric),
    colour: many ? index : i,
    dashed: false,
    points: epochs.flatMap(({ epoch, metrics: { [metric]: value } }) =>
      value === undefined ? [] : [{ x: epoch, value }],
    ),
  }));
}

/** Marks the epoch of the result. */
function bestEpoch(run: Run, x: (epoch: number) => number, bottom: number): string[] {
  const best = run.result?.bestEpoch;
  if (best === undefined) return [];
  const at = x(best);
  const anchor = at > (LEFT + WIDTH - RIGHT) / 2 ? 'end' : 'start';
  return [
    `<path class="best" d="M${px(at)} ${LOSS.top}V${bottom}"/>`,
    text(at + (anchor === 'end' ? -6 : 6), LOSS.top + 12, 'axis', `best: epoch ${best}`, anchor),
  ];
}
