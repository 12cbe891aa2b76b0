/** The weighted mean that every loss is, and the weights of its gradient. */
import { elementTypeNumber } from '../tensor/element-type.ts';
import type { GraphWriter } from '../gradient/graph-writer.ts';
import type { Size } from '../infer/size.ts';
import type { LossContext, Terms } from './terms.ts';

/** The loss and its gradient by the prediction, weighted and divided, and the divisor. */
export function averaged(
  { writer, prediction, shape, target }: LossContext,
  { terms, slopes, counts, classAxis }: Terms,
  elements: readonly Size[],
  weight: string | undefined,
): readonly [loss: string, gradient: string, divisor: string] {
  const sumOf = (name: string) => writer.emit('ReduceSum', [name], { keepdims: 0 });
  if (weight === undefined && counts === undefined) {
    const divisor = countOf(writer, prediction, target, elements, shape);
    const divided = (name: string) => writer.emit('Div', [name, divisor]);
    return [divided(sumOf(terms)), divided(slopes), divisor];
  }
  let share = counts;
  let factor: string | undefined;
  if (weight !== undefined) {
    // [batch] along with the other axes of the targets.
    const missing = elements.length - writer.rankOf(weight);
    const widened = writer.unsqueeze(
      weight,
      Array.from({ length: missing }, (_, i) => i + 1),
    );
    factor = classAxis === undefined ? widened : writer.unsqueeze(widened, [classAxis]);
    if (counts !== undefined) share = writer.emit('Mul', [counts, widened]);
    else if (missing === 0) share = widened;
    else
      share = writer.emit('Expand', [
        widened,
        shapeOfElements(writer, target, elements, shape, classAxis),
      ]);
  }
  // A batch in which no element counts has the loss 0.
  const divisor = writer.emit('Max', [sumOf(share!), writer.scalar(1e-30, prediction)]);
  const weighted = (name: string) =>
    factor === undefined ? name : writer.emit('Mul', [name, factor]);
  const gradient =
    factor === undefined
      ? writer.emit('Div', [slopes, divisor])
      : writer.emit('Mul', [slopes, writer.emit('Div', [factor, divisor])]);
  return [writer.emit('Div', [sumOf(weighted(terms)), divisor]), gradient, divisor];
}

/** How many targets there are, in the type of the prediction. */
function countOf(
  writer: GraphWriter,
  prediction: string,
  target: string,
  elements: readonly Size[],
  shape: readonly Size[],
): string {
  if (elements.every((size) => typeof size === 'number')) {
    return writer.scalar(
      elements.reduce((count, size) => count * size, 1),
      prediction,
    );
  }
  const to = elementTypeNumber(writer.typeOf(prediction));
  const all = writer.emit('Cast', [writer.emit('Size', [target])], { to });
  if (writer.rankOf(target) === elements.length) return all;
  // Probabilities: as many numbers as classes for each target.
  const classes = shape.find((size, axis) => size !== elements[axis]) ?? shape.at(-1)!;
  return writer.emit('Div', [all, writer.scalar(Number(classes), prediction)]);
}

function shapeOfElements(
  writer: GraphWriter,
  target: string,
  elements: readonly Size[],
  shape: readonly Size[],
  classAxis: number | undefined,
): string {
  if (elements.every((size) => typeof size === 'number')) return writer.ints(elements);
  if (writer.rankOf(target) === elements.length) return writer.emit('Shape', [target]);
  const kept = [...shape.keys()].filter((axis) => axis !== classAxis);
  return writer.emit('Gather', [writer.emit('Shape', [target]), writer.ints(kept)]);
}
