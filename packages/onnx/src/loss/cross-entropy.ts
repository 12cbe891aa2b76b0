/**
 * Cross-entropy of logits x and a distribution q over classes: −Σ q·ln softmax(x), whose slope is
 * softmax(x)·Σq − q. Targets are class indices or probabilities. Smoothing, weights of classes and
 * the normalisation by the weights of the targets follow PyTorch's CrossEntropyLoss.
 */
import { elementTypeNumber } from '../tensor/element-type.ts';
import { invalidModel, unsupportedModel } from '../onnx-error.ts';
import { tensor } from '../tensor/tensor.ts';
import type { LossContext, Terms } from './terms.ts';

export interface CrossEntropyOptions {
  /** Form of the targets; default `indices`, int64 from 0 on, without the axis of classes. */
  readonly targets?: 'indices' | 'probabilities';
  /** Axis of the classes; default 1, as in PyTorch. Language models have −1. */
  readonly axis?: number;
  /** Share ε of the target that is spread over all classes; default 0. */
  readonly labelSmoothing?: number;
  /** One weight per class; default 1. */
  readonly classWeights?: readonly number[];
  /** Targets with this index do not count; default none. PyTorch’s is −100. */
  readonly ignoreIndex?: number;
}

export function crossEntropy(context: LossContext, options: CrossEntropyOptions): Terms {
  const { writer, prediction, shape } = context;
  const { targets = 'indices', labelSmoothing = 0, classWeights } = options;
  const axis = classAxis(context, options);
  const classes = shape[axis];
  if (typeof classes !== 'number') {
    throw unsupportedModel(`The number of classes, axis ${axis} of '${prediction}', is not fixed.`);
  }
  if (classWeights !== undefined && classWeights.length !== classes) {
    throw invalidModel(
      `${classWeights.length} class weights do not fit the ${classes} classes of '${prediction}'.`,
    );
  }
  writer.reserve(classes);
  const plain = labelSmoothing === 0 && classWeights === undefined;
  const ignores = targets === 'indices' && options.ignoreIndex !== undefined;
  const isOne = plain && !ignores && targets === 'indices';
  if (isOne && writer.typeOf(prediction) === 'float32') return sparse(context, axis, classes);
  // A constant with one number per class, broadcast over the axes of the prediction.
  const perClass = (numbers: readonly number[], type: 'int64' | 'like') => {
    const sizes = [classes, ...shape.slice(axis + 1).map(() => 1)];
    if (type === 'int64') {
      return writer.constant(tensor('int64', sizes, BigInt64Array.from(numbers, BigInt)));
    }
    const exact = writer.constant(tensor('float64', sizes, Float64Array.from(numbers)));
    return writer.emit('Cast', [exact], { to: elementTypeNumber(writer.typeOf(prediction)) });
  };
  let q = context.target;
  let counted: string | undefined;
  if (targets === 'indices') {
    const indices = writer.unsqueeze(context.target, [axis]);
    const numbers = perClass(
      Array.from({ length: classes }, (_, i) => i),
      'int64',
    );
    q = writer.emit('Cast', [writer.emit('Equal', [indices, numbers])], {
      to: elementTypeNumber(writer.typeOf(prediction)),
    });
    counted = counts(context, options, q, axis, classWeights && perClass(classWeights, 'like'));
  }
  if (labelSmoothing !== 0) {
    const kept = writer.emit('Mul', [q, writer.scalar(1 - labelSmoothing, prediction)]);
    q = writer.emit('Add', [kept, writer.scalar(labelSmoothing / classes, prediction)]);
  }
  if (classWeights !== undefined) q = writer.emit('Mul', [q, perClass(classWeights, 'like')]);
  if (ignores) {
    // Without this, smoothing would give ignored targets a loss.
    q = writer.emit('Mul', [q, writer.unsqueeze(maskOf(context, options.ignoreIndex), [axis])]);
  }
  const logarithms = writer.emit('LogSoftmax', [prediction], { axis });
  const share = writer.emit('Exp', [logarithms]);
  const whole = isOne ? share : writer.emit('Mul', [share, writer.reduceSum(q, [axis], true)]);
  return {
    terms: writer.emit('Neg', [writer.emit('Mul', [q, logarithms])]),
    slopes: writer.emit('Sub', [whole, q]),
    classAxis: axis,
    counts: counted,
  };
}

/**
 * Indices that are one target each, in as few nodes as there can be: a small network spends much of
 * its step on the number of its nodes. ONNX Runtime's OneHot has no float64.
 */
function sparse({ writer, prediction, target }: LossContext, axis: number, classes: number): Terms {
  // Integers, because a list of floats would be taken for a trainable parameter.
  const values = writer.emit('Cast', [writer.ints([0, -1])], { to: elementTypeNumber('float32') });
  const minus = writer.emit('OneHot', [target, writer.ints([classes]), values], { axis });
  const logarithms = writer.emit('LogSoftmax', [prediction], { axis });
  return {
    terms: writer.emit('Mul', [minus, logarithms]),
    slopes: writer.emit('Add', [writer.emit('Exp', [logarithms]), minus]),
    classAxis: axis,
  };
}

/** Weight of each target: its class's, and 0 where it is ignored. */
function counts(
  context: LossContext,
  { ignoreIndex }: CrossEntropyOptions,
  oneHot: string,
  axis: number,
  weights: string | undefined,
): string | undefined {
  const { writer } = context;
  const mask = ignoreIndex === undefined ? undefined : maskOf(context, ignoreIndex);
  if (weights === undefined) return mask;
  const weight = writer.reduceSum(writer.emit('Mul', [oneHot, weights]), [axis], false);
  return mask === undefined ? weight : writer.emit('Mul', [weight, mask]);
}

/** 1 where a target counts, 0 where it is ignored. */
function maskOf({ writer, target, prediction }: LossContext, ignoreIndex = 0): string {
  const ignored = writer.emit('Equal', [target, writer.scalar(ignoreIndex, target)]);
  return writer.emit('Cast', [writer.emit('Not', [ignored])], {
    to: elementTypeNumber(writer.typeOf(prediction)),
  });
}

/** Before opset 13, Softmax is along one axis only where that is the last. */
export function classAxis(
  { writer, prediction, shape }: Pick<LossContext, 'writer' | 'prediction' | 'shape'>,
  { axis = 1 }: CrossEntropyOptions,
): number {
  const rank = shape.length;
  const result = axis < 0 ? axis + rank : axis;
  if (result < 0 || result >= rank) {
    throw invalidModel(`'${prediction}' of rank ${rank} has no axis ${axis} of classes.`);
  }
  if (writer.opset < 13 && result !== rank - 1) {
    throw unsupportedModel(
      `A cross-entropy along axis ${result} of ${rank} needs opset 13 or newer; the model has ${writer.opset}.`,
    );
  }
  return result;
}
