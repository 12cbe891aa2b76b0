/** Variants and layers of a quantised model as tables. */
import { formatBytes, formatDuration } from '@skein/api/units';
import type { Style } from '../output/style.ts';
import { renderTable } from '../output/table.ts';
import { percent, REFUSALS, type Quantised, type Shown, type ShownLayer } from './result.ts';

/** Rows of the table of layers; more do not fit a screen. */
const MOST_LAYERS = 16;

/** The float model and its variants, and why a variant is not chosen. */
export function renderVariants(
  {
    float,
    variants,
    target,
    weightBits,
    asGiven,
  }: Pick<Quantised, 'float' | 'variants' | 'target' | 'weightBits' | 'asGiven'>,
  style: Style,
): string {
  const withAccuracy = float.accuracy !== undefined;
  const rows: Shown[] = [
    {
      name: 'float32',
      summary: '',
      bytes: float.bytes,
      accuracy: float.accuracy,
      notRun: {},
      timings: Object.fromEntries(
        Object.entries(float.ms).map(([runtime, ms]) => [runtime, { ms, floatMs: ms, ratio: 1 }]),
      ),
    },
    ...variants.filter(({ bytes }) => bytes !== undefined),
  ];
  const time = (runtime: string) => (row: Shown) => {
    const timing = row.timings[runtime];
    if (timing === undefined) return '–';
    return row.name === 'float32'
      ? formatDuration(timing.ms)
      : `${formatDuration(timing.ms)} ${(1 / timing.ratio).toFixed(2)}×`;
  };
  const notes = [
    ...(weightBits === 8 ? [] : ['Weights of int8 have 7 bits: this processor saturates with 8.']),
    ...(asGiven === undefined ? [] : [`Operators were left as they are: ${asGiven}`]),
    ...variants.flatMap(({ name, reason, refused, notRun }) => [
      ...(reason === undefined ? [] : [`${name} was not built: ${reason}.`]),
      ...(refused === undefined ? [] : [`${name}: ${REFUSALS[refused](target)}.`]),
      ...Object.entries(notRun).map(
        ([runtime, why]) => `${name} does not run on ${runtime}: ${why}.`,
      ),
    ]),
  ];
  return [
    renderTable(style, rows, [
      ['VARIANT', ({ name }) => name],
      ['SIZE', ({ bytes }) => formatBytes(bytes ?? 0), 'right'],
      ['ERROR', ({ error }) => percent(error), 'right'],
      ['CHANGED', ({ changed }) => percent(changed), 'right'],
      ...(withAccuracy
        ? ([['ACCURACY', ({ accuracy }: Shown) => percent(accuracy), 'right']] as const)
        : []),
      ['NATIVE', time('native'), 'right'],
      ['WASM', time('wasm'), 'right'],
    ]),
    ...notes.map((note) => style.dim(note)),
  ].join('\n');
}

/** The layers that cause most of the error, in the order of the graph. */
export function renderLayers({ layers, estimatedBy }: Quantised, style: Style): string {
  const worst = layers.toSorted((a, b) => b.error - a.error).slice(0, MOST_LAYERS);
  const shown = layers.filter((each) => worst.includes(each));
  const how = estimatedBy === 'gradients' ? 'from gradients' : 'by runs with one layer quantised';
  const left = layers.length - shown.length;
  return [
    renderTable<ShownLayer>(style, shown, [
      ['LAYER', ({ name }) => name],
      ['OPERATOR', ({ operator }) => operator],
      ['FLOAT', ({ floatBytes }) => formatBytes(floatBytes), 'right'],
      ['NOW', ({ bytes }) => formatBytes(bytes), 'right'],
      ['FORM', ({ form }) => form],
      ['ERROR', ({ error }) => percent(error), 'right'],
      ['AT 8 BITS', ({ error8 }) => percent(error8), 'right'],
      ['AT 4 BITS', ({ error4 }) => percent(error4), 'right'],
    ]),
    style.dim(
      `Errors of layers are estimated ${how}.${left === 0 ? '' : ` ${left} more layers cause less; --json lists them.`}`,
    ),
  ].join('\n');
}

export function rowsText({ calibration, held, random }: Quantised['rows']): string {
  if (random) {
    return `${held} RANDOM inputs: errors on your rows may be larger, so give --data`;
  }
  return `${calibration} to calibrate, ${held} others to compare`;
}
