/** The value of a `Constant` node, whichever of its attributes holds it. */
import type { AttributeProto, NodeProto } from 'onnx-buf';
import { stringTensor, tensor, type Tensor } from '../tensor/tensor.ts';
import { isStandard } from './node-view.ts';
import { tensorOf } from './protos.ts';

/** `undefined` for other nodes, and for values that tensors here cannot have. */
export function constantValue(node: NodeProto): Tensor | undefined {
  if (!isStandard(node, 'Constant')) return undefined;
  for (const each of node.attribute) {
    const value = FORMS.get(each.name)?.(each);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** 64-bit integers pass as they are: a number would round them. */
const FORMS = new Map<string, (attribute: AttributeProto) => Tensor | undefined>([
  ['value', ({ t }) => (t === undefined ? undefined : tensorOf(t))],
  ['value_float', ({ f }) => tensor('float32', [], Float32Array.of(f))],
  ['value_floats', ({ floats }) => tensor('float32', [floats.length], Float32Array.from(floats))],
  ['value_int', ({ i }) => tensor('int64', [], BigInt64Array.of(i))],
  ['value_ints', ({ ints }) => tensor('int64', [ints.length], BigInt64Array.from(ints))],
  ['value_string', ({ s }) => stringTensor([], [s])],
  ['value_strings', ({ strings }) => stringTensor([strings.length], strings)],
]);
