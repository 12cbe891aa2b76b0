/** Operators that read or write by index. */
import { values } from '../tensor.ts';
import { axisOf, sameAsInput, shown, type InferenceNode, type InferenceRule } from './rule.ts';
import type { Size } from './size.ts';

export const indexing: Readonly<Record<string, InferenceRule>> = {
  Gather: (node) => {
    const { type, shape, elements } = node.given(0);
    const indices = node.given(1);
    if (shape === undefined || indices.shape === undefined) return [{ type, shape: undefined }];
    const axis = axisOf(node, node.attributeInt('axis', 0), shape.length);
    const result = [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)];
    const at = node.ints(1);
    // Reading single sizes from a shape is how exported models compute shapes.
    const read = elements === undefined ? undefined : at?.map((index) => elements.at(index));
    return [
      {
        type,
        shape: result,
        ...(read?.every((size) => size !== undefined) ? { elements: read } : {}),
      },
    ];
  },
  GatherElements: (node) => [{ type: node.given(0).type, shape: node.given(1).shape }],
  GatherND: (node) => {
    const { type, shape } = node.given(0);
    const indices = node.given(1).shape;
    const depth = indices?.at(-1);
    if (shape === undefined || indices === undefined || typeof depth !== 'number') {
      return [{ type, shape: undefined }];
    }
    const batch = node.attributeInt('batch_dims', 0);
    if (batch + depth > shape.length) {
      node.fail(
        `${depth} indices after ${batch} axes of the batch are too many for ${shown(shape)}.`,
      );
    }
    return [{ type, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
  },
  ScatterND: sameAsInput,
  ScatterElements: sameAsInput,
  Scatter: sameAsInput,
  OneHot: (node) => {
    const { shape } = node.given(0);
    const type = node.given(2).type;
    if (shape === undefined) return [{ type, shape }];
    const axis = axisOf(node, node.attributeInt('axis', -1), shape.length + 1);
    return [{ type, shape: [...shape.slice(0, axis), depthOf(node), ...shape.slice(axis)] }];
  },
};

/** The depth of a OneHot, which may be a constant of any numeric type. */
function depthOf(node: InferenceNode): Size {
  const known = node.given(1).elements?.[0];
  if (known !== undefined) return known;
  const value = node.tensor(1);
  if (value === undefined || value.type === 'string')
    return node.unknown(node.attributeInt('axis', -1));
  return Number(values(value)[0]);
}
