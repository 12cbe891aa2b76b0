/**
 * Einsum: Y[out] = Σ Π inputs, so that the gradient of one input is the Einsum of dY with the others:
 * `ij,jk->ik` gives dA = Einsum(`ik,jk->ij`)(dY, B). An index that only that input has was summed
 * over, and every element along it receives the same gradient. That is the product rule of a sum of
 * products (Giles, Collected Matrix Derivative Results, 2008, §2.2, has the cases of matrices).
 */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import { shown, type InferenceRule } from '../../infer/rule.ts';
import type { Size } from '../../infer/size.ts';
import type { Operators } from '../operator.ts';

/** Sizes by their index; an equation with an ellipsis is not followed. */
const inferEinsum: InferenceRule = (node) => {
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
};

const einsumGradient: GradientRule = (node, graph) => {
  const { terms, output } = explicit(node, graph);
  for (const term of [...terms, output]) {
    if (new Set(term).size !== term.length) graph.fail(`'${term}' takes a diagonal`);
  }
  return terms.map((_, position) =>
    node.wants(position) ? operandGradient(node, graph, terms, output, position) : undefined,
  );
};

function operandGradient(
  node: GradientNode,
  graph: GradientGraph,
  terms: readonly string[],
  output: string,
  position: number,
): string {
  const dy = node.outputGradients[0]!;
  const target = node.inputs[position]!;
  const term = terms[position]!;
  const sources = [output, ...terms.filter((_, i) => i !== position)];
  const names = [dy, ...node.inputs.filter((_, i) => i !== position)];
  const sizes = graph.shapeOf(target);
  // Of size 1 where others may be longer: summed over instead, which is the same if they are not.
  const absent = Array.from(
    term,
    (letter, axis) => sizes?.[axis] === 1 || !sources.join('').includes(letter),
  );
  const kept = Array.from(term)
    .filter((_, axis) => !absent[axis])
    .join('');
  const found =
    sources.length === 1 && output === kept
      ? dy
      : graph.emit('Einsum', names, { equation: `${sources.join(',')}->${kept}` });
  const added = absent.flatMap((isAbsent, axis) => (isAbsent ? [axis] : []));
  return graph.expandLike(graph.unsqueeze(found, added), target);
}

/** The equation with an arrow, and with letters of its own for the axes of ellipses. */
function explicit(
  node: GradientNode,
  graph: GradientGraph,
): { readonly terms: readonly string[]; readonly output: string } {
  const equation = node.attributeString('equation').replaceAll(/\s/g, '');
  const [left = '', right] = equation.split('->');
  const written = left.split(',');
  const ranks = written.map((term, i) =>
    term.includes('...') ? graph.rankOf(node.inputs[i]!) - (term.length - 3) : 0,
  );
  const letters = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
    .filter((letter) => !equation.includes(letter))
    .slice(0, Math.max(...ranks));
  // Ellipses are aligned at their last axes, as in broadcasting.
  const spelled = (term: string, rank: number) =>
    term.replace('...', letters.slice(letters.length - rank).join(''));
  const terms = written.map((term, i) => spelled(term, ranks[i]!));
  if (right !== undefined) return { terms, output: spelled(right, letters.length) };
  // Without an arrow: the ellipsis, then every index that occurs once, in alphabetical order.
  const all = left.replaceAll(/[.,]/g, '');
  const once = Array.from(all).filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter));
  return { terms, output: letters.join('') + once.sort().join('') };
}

export const einsum: Operators = { Einsum: { infer: inferEinsum, gradient: einsumGradient } };
