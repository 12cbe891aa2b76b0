/** Multidirectional broadcasting (ONNX, "Broadcasting in ONNX"). */
import { shown, type InferenceNode } from './rule.ts';
import type { Size } from './size.ts';

/** @throws OnnxError `invalid` naming the node when two sizes can never agree. */
export function broadcast(
  node: InferenceNode,
  shapes: readonly (readonly Size[] | undefined)[],
): readonly Size[] | undefined {
  let result: readonly Size[] = [];
  for (const shape of shapes) {
    if (shape === undefined) return undefined;
    result = pair(node, result, shape);
  }
  return result;
}

/** The shape to which all inputs of a node are broadcast. */
export function broadcastInputs(node: InferenceNode): readonly Size[] | undefined {
  return broadcast(
    node,
    node.inputs.map((_, index) => node.given(index).shape),
  );
}

function pair(node: InferenceNode, a: readonly Size[], b: readonly Size[]): readonly Size[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - (rank - a.length)] ?? 1;
    const y = b[axis - (rank - b.length)] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    if (typeof x === 'number' && typeof y === 'number') {
      node.fail(`the shapes ${shown(a)} and ${shown(b)} cannot be broadcast together.`);
    }
    // A symbol broadcast with a number above 1 is either that number or 1.
    if (typeof x === 'number') return x;
    if (typeof y === 'number') return y;
    return node.unknown(axis);
  });
}
