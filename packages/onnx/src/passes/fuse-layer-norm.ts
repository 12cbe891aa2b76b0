/**
 * Replaces the nodes that exporters write for a layer normalisation over the last axis:
 *
 *   d = x − mean(x);  y = d / √(mean(d²) + ε) · scale + bias
 *
 * Not bit-exact: LayerNormalization adds the elements in another order.
 */
import type { NodeProto } from 'onnx-buf';
import { float } from '../model/attribute.ts';
import { opsetOf, type Model } from '../model/model.ts';
import { isStandard, NodeView } from '../model/node-view.ts';
import { nodeProto } from '../model/protos.ts';
import { values } from '../tensor/tensor.ts';
import { rewrite, type Surroundings } from './pattern.ts';

/** The operator set that has LayerNormalization. */
const LAYER_NORMALIZATION = 17;

/** The same model below opset 17. Scale and bias must be float32 initialisers. @param model of distinct names. */
export function fuseLayerNorm(model: Model): Model {
  if ((opsetOf(model) ?? 0) < LAYER_NORMALIZATION) return model;
  return rewrite(model, (node, around) => {
    if (!isStandard(node, 'Add')) return undefined;
    const shifted = withVector(node, around);
    const product = shifted && around.maker(shifted.other, 'Mul');
    const stretched = product && withVector(product, around);
    const quotient = stretched && around.maker(stretched.other, 'Div');
    if (quotient === undefined || !around.isReadOnce(shifted!.other)) return undefined;
    const normal = normalised(quotient, around);
    const size = normal && around.shapeOf(normal.x)?.at(-1);
    if (typeof size !== 'number' || shifted!.size !== size || stretched!.size !== size) {
      return undefined;
    }
    const inputs = [normal!.x, stretched!.vector, shifted!.vector];
    const attributes = { axis: -1, epsilon: float(normal!.epsilon) };
    return [nodeProto('LayerNormalization', node.name, inputs, [node.output[0]!], attributes)];
  });
}

/** An operation of a value and a list of constants. */
function withVector({ input: [a = '', b = ''] }: NodeProto, around: Surroundings) {
  for (const [vector, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const found = around.floats(vector);
    if (found?.shape.length === 1) return { vector, other, size: found.data.length };
  }
  return undefined;
}

/** d / √(mean(d²) + ε), where d = x − mean(x) may be computed twice. */
function normalised({ input: [d = '', root = ''] }: NodeProto, around: Surroundings) {
  const x = centredOf(d, around);
  const sum = around.maker(around.maker(root, 'Sqrt')?.input[0], 'Add');
  const epsilon = around.floats(sum?.input[1]);
  const square = meanOf(sum?.input[0], around);
  const base = square === undefined ? undefined : squareOf(square, around);
  if (x === undefined || epsilon?.data.length !== 1 || base === undefined) return undefined;
  return centredOf(base, around) === x ? { x, epsilon: epsilon.data[0]! } : undefined;
}

/** x of x − mean(x). */
function centredOf(name: string, around: Surroundings): string | undefined {
  const [x, mean] = around.maker(name, 'Sub')?.input ?? [];
  return x !== undefined && meanOf(mean, around) === x ? x : undefined;
}

/** x of mean(x) over the last axis, which stays with the size 1. */
function meanOf(name: string | undefined, around: Surroundings): string | undefined {
  const node = around.maker(name, 'ReduceMean');
  if (node === undefined) return undefined;
  const view = new NodeView(node);
  const [x = '', axes] = node.input;
  const list = axesOf(axes, around) ?? view.attributeInts('axes', []);
  const rank = around.shapeOf(x)?.length;
  const isLast = list.length === 1 && (list[0] === -1 || list[0]! + 1 === rank);
  return isLast && view.attributeInt('keepdims', 1) === 1 ? x : undefined;
}

function axesOf(name: string | undefined, around: Surroundings): readonly number[] | undefined {
  const axes = around.constant(name);
  return axes?.type === 'int64' ? Array.from(values(axes) as BigInt64Array, Number) : undefined;
}

/** d of d² or d·d. */
function squareOf(name: string, around: Surroundings): string | undefined {
  const [d, again] = around.maker(name, 'Mul')?.input ?? [];
  if (d !== undefined && d === again) return d;
  const [base, exponent] = around.maker(name, 'Pow')?.input ?? [];
  const two = around.constant(exponent);
  const isTwo =
    two !== undefined &&
    two.type !== 'string' &&
    two.bytes.byteLength <= 8 &&
    Number(values(two)[0]) === 2;
  return isTwo ? base : undefined;
}
