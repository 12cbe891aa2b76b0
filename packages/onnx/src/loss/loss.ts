/**
 * Losses: appended to a model together with the gradient at the model's output. The two are written
 * together because the gradient in closed form, such as softmax − target, is shorter than the
 * gradient that the chain rule derives from the loss.
 *
 * A loss is a weighted mean: Σ wᵢ·ℓᵢ / Σ wᵢ. A weight of 0 removes an element from the mean, so
 * that a padded batch has the loss of its real elements.
 */
import { namesOf } from '../gradient/gradient.ts';
import { GraphWriter } from '../gradient/graph-writer.ts';
import { inferenceOf, named, type Inference } from '../infer/inference.ts';
import type { Size } from '../infer/size.ts';
import { withGraph, type Model } from '../model/model.ts';
import { NodeView } from '../model/node-view.ts';
import { invalidModel, unsupportedModel } from '../onnx-error.ts';
import { valueInfoProto } from '../model/protos.ts';
import { binaryCrossEntropy } from './binary-cross-entropy.ts';
import { crossEntropy, type CrossEntropyOptions } from './cross-entropy.ts';
import { averaged } from './mean.ts';
import { huber, meanAbsolute, meanSquared } from './regression.ts';
import type { LossContext, Terms } from './terms.ts';

export type Loss =
  | ({ readonly kind: 'cross-entropy' } & CrossEntropyOptions)
  /**
   * For logits and targets in [0, 1]; `positiveWeight` multiplies the loss of positives, default 1.
   */
  | { readonly kind: 'binary-cross-entropy'; readonly positiveWeight?: number }
  | { readonly kind: 'mean-squared' }
  | { readonly kind: 'mean-absolute' }
  /** `delta` is where the square turns into a line; default 1. */
  | { readonly kind: 'huber'; readonly delta?: number };

export interface LossOptions {
  readonly loss: Loss;
  /** Output of the model that is compared with the target; default the first. */
  readonly prediction?: string;
  /** Name of the input for targets; default `target`. */
  readonly target?: string;
  /**
   * Adds an input `weight` (see `weightName`): one number per sample, [batch], or one per target,
   * shaped like the targets without the axis of classes. Default: none.
   */
  readonly weights?: 'sample' | 'element';
  /** Default `weight`. */
  readonly weightName?: string;
}

/** Targets that are indices of classes. ONNX Runtime takes others in silence: as no class, or from the last one back. */
export interface ClassIndices {
  /** The input of the targets. */
  readonly input: string;
  /** They are from 0 to below this. */
  readonly classes: number;
  /** One more index, whose targets do not count. */
  readonly ignored?: number | undefined;
}

export interface LossModel {
  /** The model with its loss as a further output and the targets as a further input. */
  readonly model: Model;
  /** Name of the loss, a scalar in the type of the prediction. */
  readonly loss: string;
  /** Gradients that the graph computes already, for `gradient()`. */
  readonly seeds: Readonly<Record<string, string>>;
  /**
   * Name of the scalar that the loss was divided by, Σ wᵢ: the weight of this batch relative to
   * others. Losses of the parts of a batch, each times its weight, add up to the loss of the whole
   * times its weight.
   */
  readonly weight: string;
  /** Absent: the targets are numbers. */
  readonly indices?: ClassIndices;
}

/**
 * Appends a loss. A model that ends in Softmax (for cross-entropy) or Sigmoid (for binary
 * cross-entropy) is taken before that, where the loss does not lose precision.
 *
 * @throws OnnxError `invalid` when names clash or options do not fit the prediction, `unsupported`
 *   when its shape or type cannot be inferred or is not one of floating-point numbers.
 */
export function withLoss(model: Model, options: LossOptions): LossModel {
  const { loss, target = 'target', weights, weightName = 'weight' } = options;
  const graph = model.graph!;
  const taken = namesOf(graph);
  const output = options.prediction ?? graph.output[0]?.name ?? '';
  for (const name of weights === undefined ? [target] : [target, weightName]) {
    if (taken.has(name)) {
      throw invalidModel(`The model has a value named '${name}' already; name it otherwise.`);
    }
  }
  if (!taken.has(output)) throw invalidModel(`The model has no value named '${output}'.`);
  const inference = inferenceOf(model);
  const prediction = rawOutput(model, inference, output, loss);
  const known = inference.of(prediction);
  if (known?.shape === undefined || !/^b?float/.test(known.type)) {
    throw unsupportedModel(
      `The loss needs floating-point numbers of a known rank, but '${prediction}' is ${known?.type ?? 'of unknown type'}.`,
    );
  }
  const { type, shape } = known;
  const writer = new GraphWriter(
    inference,
    new Set([...taken, target, weightName]),
    new Set(),
    'loss',
  );
  const elements = elementShape(loss, shape);
  const indices = loss.kind === 'cross-entropy' && loss.targets !== 'probabilities';
  const ignored = loss.kind === 'cross-entropy' ? loss.ignoreIndex : undefined;
  const inputs = [
    valueInfoProto(target, indices ? 'int64' : type, (indices ? elements : shape).map(named)),
  ];
  if (weights !== undefined) {
    const weighted = weights === 'sample' ? elements.slice(0, 1) : elements;
    inputs.push(valueInfoProto(weightName, type, weighted.map(named)));
  }
  // Sizes without a name stay equal to the sizes of the prediction.
  inference.addKnown(target, { type: indices ? 'int64' : type, shape: indices ? elements : shape });
  if (weights !== undefined) {
    inference.addKnown(weightName, {
      type,
      shape: weights === 'sample' ? elements.slice(0, 1) : elements,
    });
  }
  const context: LossContext = { writer, prediction, shape, target };
  const terms = termsOf(context, loss);
  const weight = weights === undefined ? undefined : weightName;
  const [total, slopes, divisor] = averaged(context, terms, elements, weight);
  return {
    model: withGraph(model, {
      node: [...graph.node, ...writer.nodes],
      initializer: [...graph.initializer, ...writer.initializers],
      input: [...graph.input, ...inputs],
      output: [...graph.output, valueInfoProto(total, type, [])],
    }),
    loss: total,
    seeds: { [prediction]: slopes },
    weight: divisor,
    ...(indices
      ? { indices: { input: target, classes: Number(shape[terms.classAxis ?? 1]), ignored } }
      : {}),
  };
}

export const LOSS_NAMES = [
  'cross-entropy',
  'binary-cross-entropy',
  'mean-squared',
  'mean-absolute',
  'huber',
] as const satisfies readonly Loss['kind'][];

function termsOf(context: LossContext, loss: Loss): Terms {
  switch (loss.kind) {
    case 'cross-entropy':
      return crossEntropy(context, loss);
    case 'binary-cross-entropy':
      return binaryCrossEntropy(context, loss.positiveWeight ?? 1);
    case 'mean-squared':
      return meanSquared(context);
    case 'mean-absolute':
      return meanAbsolute(context);
    case 'huber':
      return huber(context, loss.delta ?? 1);
    default: {
      // A program in JavaScript may ask for another one.
      const { kind } = loss satisfies never as { kind: unknown };
      throw invalidModel(`There is no loss '${String(kind)}'; there are ${LOSS_NAMES.join(', ')}.`);
    }
  }
}

/** The shape of the targets that count: the prediction's without the axis of classes. */
function elementShape(loss: Loss, shape: readonly Size[]): readonly Size[] {
  if (loss.kind !== 'cross-entropy') return shape;
  const given = loss.axis ?? 1;
  const axis = given < 0 ? given + shape.length : given;
  return shape.filter((_, i) => i !== axis);
}

/** The logits before a final Softmax along the axis of classes, or a final Sigmoid. */
function rawOutput(model: Model, inference: Inference, output: string, loss: Loss): string {
  const wanted = { 'cross-entropy': 'Softmax', 'binary-cross-entropy': 'Sigmoid' } as const;
  const last = model.graph!.node.find((node) => node.output[0] === output);
  if (last === undefined || !(loss.kind in wanted)) return output;
  const node = new NodeView(last);
  if (node.opType !== wanted[loss.kind as keyof typeof wanted]) return output;
  if (loss.kind !== 'cross-entropy') return node.inputs[0]!;
  const rank = inference.of(output)?.shape?.length ?? 0;
  const counted = (axis: number) => (axis < 0 ? axis + rank : axis);
  const along = counted(node.attributeInt('axis', inference.opset < 13 ? 1 : -1));
  return along === counted(loss.axis ?? 1) ? node.inputs[0]! : output;
}
