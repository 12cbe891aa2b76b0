/** Products of matrices. */
import { broadcast } from './broadcast.ts';
import { shown, type InferenceNode, type InferenceRule } from './rule.ts';
import type { Size } from './size.ts';

export const matmul: Readonly<Record<string, InferenceRule>> = {
  MatMul: (node) => {
    const { type, shape } = node.given(0);
    return [{ type, shape: matrixProduct(node, shape, node.given(1).shape) }];
  },
  Gemm: (node) => {
    const { type, shape: a } = node.given(0);
    const b = node.given(1).shape;
    if (a === undefined || b === undefined) return [{ type, shape: undefined }];
    if (a.length !== 2 || b.length !== 2) {
      node.fail(`the factors ${shown(a)} and ${shown(b)} are not both matrices.`);
    }
    const [rows, inner] = node.attributeInt('transA', 0) === 0 ? a : [a[1]!, a[0]!];
    const [inner2, columns] = node.attributeInt('transB', 0) === 0 ? b : [b[1]!, b[0]!];
    agree(node, inner!, inner2!, a, b);
    return [{ type, shape: [rows!, columns!] }];
  },
  Einsum: (node) => {
    const { type } = node.given(0);
    const equation = node.attributeString('equation').replaceAll(' ', '');
    if (equation.includes('.')) return [{ type, shape: undefined }];
    const [left, right] = equation.split('->');
    const sizes = new Map<string, Size>();
    const counts = new Map<string, number>();
    for (const [index, term] of left!.split(',').entries()) {
      const shape = node.given(index).shape;
      if (shape === undefined) return [{ type, shape: undefined }];
      if (shape.length !== term.length) {
        node.fail(`'${term}' of '${equation}' does not fit the shape ${shown(shape)}.`);
      }
      for (const [axis, letter] of Array.from(term).entries()) {
        if (typeof sizes.get(letter) !== 'number') sizes.set(letter, shape[axis]!);
        counts.set(letter, (counts.get(letter) ?? 0) + 1);
      }
    }
    const implicit = [...counts.keys()].filter((letter) => counts.get(letter) === 1).sort();
    const output = right === undefined ? implicit : Array.from(right);
    const shape = output.map(
      (letter) =>
        sizes.get(letter) ?? node.fail(`'${letter}' of '${equation}' is no axis of its inputs.`),
    );
    return [{ type, shape }];
  },
};

/** The shape of a · b as NumPy has it: matrices in the last two axes, batches before them. */
export function matrixProduct(
  node: InferenceNode,
  a: readonly Size[] | undefined,
  b: readonly Size[] | undefined,
): readonly Size[] | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (a.length === 0 || b.length === 0) node.fail('a factor is a scalar.');
  const left = a.length === 1 ? [1, a[0]!] : a;
  const right = b.length === 1 ? [b[0]!, 1] : b;
  agree(node, left.at(-1)!, right.at(-2)!, a, b);
  const batch = broadcast(node, [left.slice(0, -2), right.slice(0, -2)])!;
  const rows = a.length === 1 ? [] : [left.at(-2)!];
  const columns = b.length === 1 ? [] : [right.at(-1)!];
  return [...batch, ...rows, ...columns];
}

function agree(
  node: InferenceNode,
  x: Size,
  y: Size,
  a: readonly Size[],
  b: readonly Size[],
): void {
  if (typeof x === 'number' && typeof y === 'number' && x !== y) {
    node.fail(`${shown(a)} times ${shown(b)}: the inner sizes ${x} and ${y} differ.`);
  }
}
