/**
 * The squared relative error of the outputs that storing one layer in a form causes, the other layers
 * being floats. Estimated from gradients; a layer of a model without gradients is quantised alone and run.
 */
import type { Model } from '../../model/model.ts';
import { OnnxError } from '../../onnx-error.ts';
import type { TensorMap } from '../../tensor/tensor.ts';
import { withOpen, type Evaluator } from '../evaluator.ts';
import { roundedWeights } from '../forms/rounding.ts';
import { activationGrid, type Range } from '../grid.ts';
import type { Layer } from '../layers.ts';
import { permits, type Form } from '../plan.ts';
import { quantise } from '../rewrite.ts';
import { answersOf, differenceOf } from './compare.ts';
import { fisherOf, type Fisher } from './fisher.ts';

export interface Sensitivity {
  readonly method: 'gradients' | 'runs';
  /** By layer, then by form; a form that the layer cannot have is absent. */
  readonly costs: ReadonlyMap<string, ReadonlyMap<Form, number>>;
}

export interface SensitivityOptions {
  /** The first ones are used, as long as they have the shape of the first. */
  readonly samples: readonly TensorMap[];
  readonly evaluator: Evaluator;
  readonly weightBits: 7 | 8;
  /** Ranges of activations, for the form `static`; without them it has no cost. */
  readonly ranges?: ReadonlyMap<string, Range> | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MOST_SAMPLES = 8;
const FORMS: readonly Form[] = ['static', 'dynamic', 'stored8', 'stored4', 'block8', 'block4'];
/** Variance of a rounding error in steps. */
const ROUNDING_VARIANCE = 1 / 12;

export async function sensitivityOf(
  model: Model,
  layers: readonly Layer[],
  options: SensitivityOptions,
): Promise<Sensitivity> {
  const samples = alike(options.samples);
  const { ranges = new Map<string, Range>(), evaluator, signal } = options;
  const weights = [...new Set(layers.flatMap((layer) => layer.weights.map(({ name }) => name)))];
  const inputs = new Set(layers.map(({ node }) => node.input[0]!));
  const activations = [...ranges.keys()].filter((name) => inputs.has(name));
  try {
    const fisher = await fisherOf(model, { weights, activations, samples, evaluator, signal });
    return { method: 'gradients', costs: byFisher(layers, fisher, options) };
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    return { method: 'runs', costs: await byRuns(model, layers, { ...options, samples }) };
  }
}

function byFisher(
  layers: readonly Layer[],
  fisher: Fisher,
  { weightBits, ranges }: SensitivityOptions,
): Sensitivity['costs'] {
  return new Map(
    layers.map((layer) => {
      const input = layer.node.input[0]!;
      const range = ranges?.get(input);
      const own = FORMS.filter(
        (form) => permits(layer, form) && (form !== 'static' || ranges !== undefined),
      ).map((form) => {
        const bits = form === 'static' || form === 'dynamic' ? weightBits : 8;
        const weights = weightCost(layer, fisher, roundedWeights(layer, form, bits));
        const step = range === undefined ? 0 : activationGrid(range).scale;
        const activations = (fisher.activations.get(input) ?? 0) * step ** 2 * ROUNDING_VARIANCE;
        return [form, form === 'static' ? weights + activations : weights] as const;
      });
      return [layer.name, new Map(own)] as const;
    }),
  );
}

/** Σ g² · Δ² over the weights of a layer. */
function weightCost(layer: Layer, fisher: Fisher, rounded: readonly Float32Array[]): number {
  let sum = 0;
  for (const [at, { name, numbers }] of layer.weights.entries()) {
    const squares = fisher.weights.get(name)!;
    const found = rounded[at]!;
    for (let i = 0; i < numbers.length; i++) sum += squares[i]! * (numbers[i]! - found[i]!) ** 2;
  }
  return sum;
}

async function byRuns(
  model: Model,
  layers: readonly Layer[],
  { samples, evaluator, weightBits, signal }: SensitivityOptions,
): Promise<Sensitivity['costs']> {
  const few = samples.slice(0, 2);
  const wanted = await withOpen(evaluator, model, (open) => answersOf(open, few));
  const costs = new Map<string, Map<Form, number>>();
  for (const layer of layers) {
    const own = new Map<Form, number>();
    for (const form of ['stored8', 'stored4'] as const) {
      signal?.throwIfAborted();
      const alone = quantise(model, new Map([[layer.name, form]]));
      const found = await withOpen(evaluator, alone, (open) => answersOf(open, few));
      own.set(form, differenceOf(found, wanted).error ** 2);
    }
    // The other forms round weights about as finely.
    for (const form of FORMS) {
      if (!permits(layer, form) || own.has(form)) continue;
      const coarser = form === 'static' || form === 'dynamic' ? 4 ** (8 - weightBits) : 1;
      own.set(form, form.endsWith('4') ? own.get('stored4')! : coarser * own.get('stored8')!);
    }
    costs.set(layer.name, own);
  }
  return costs;
}

function alike(samples: readonly TensorMap[]): readonly TensorMap[] {
  const shapes = (sample: TensorMap): string =>
    JSON.stringify([...sample].map(([name, { shape }]) => [name, shape]));
  const [first] = samples;
  return samples
    .slice(0, MOST_SAMPLES)
    .filter((sample) => first !== undefined && shapes(sample) === shapes(first));
}
