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

const inferEinsum: InferenceRule = (node) => {
  const { type } = node.given(0);
  const shapes = node.inputs.map((_, index) => node.given(index).shape);
  if (!shapes.every((shape) => shape !== undefined)) return [{ type, shape: undefined }];
  const equation = node.attributeString('equation');
  const { terms, output } = explicit(equation, (index) => shapes[index]?.length ?? 0);
  const sizes = new Map<string, Size>();
  for (const [index, term] of terms.entries()) {
    const shape = shapes[index] ?? node.fail(`'${equation}' has more terms than inputs.`);
    if (shape.length !== term.length) {
      node.fail(`'${term}' of '${equation}' does not fit the shape ${shown(shape)}.`);
    }
    for (const [axis, letter] of Array.from(term).entries()) {
      const size = shape[axis]!;
      const known = sizes.get(letter);
      // Where sizes are broadcast, a number is more precise than a symbol, and 1 adds nothing.
      const isOpen = typeof known !== 'number' && size !== 1;
      if (known === undefined || known === 1 || isOpen) sizes.set(letter, size);
    }
  }
  const shape = Array.from(
    output,
    (letter) =>
      sizes.get(letter) ?? node.fail(`'${letter}' of '${equation}' is no axis of its inputs.`),
  );
  return [{ type, shape }];
};

const einsumGradient: GradientRule = (node, graph) => {
  const { terms, output } = explicit(node.attributeString('equation'), (index) =>
    graph.rankOf(node.inputs[index]!),
  );
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
  // Size 1 where others may be longer: summed over instead, which is the same if they are not.
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
  given: string,
  rankOf: (input: number) => number,
): { readonly terms: readonly string[]; readonly output: string } {
  const equation = given.replaceAll(/\s/g, '');
  const [left = '', right] = equation.split('->');
  const written = left.split(',');
  const ranks = written.map((term, i) =>
    term.includes('...') ? Math.max(0, rankOf(i) - (term.length - 3)) : 0,
  );
  const letters = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
    .filter((letter) => !equation.includes(letter))
    .slice(
      0,
      ranks.reduce((most, rank) => Math.max(most, rank), 0),
    );
  // Ellipses are aligned at their last axes, as in broadcasting.
  const spelled = (term: string, rank: number) =>
    term.replace('...', letters.slice(letters.length - rank).join(''));
  const terms = written.map((term, i) => spelled(term, ranks[i]!));
  if (right !== undefined) return { terms, output: spelled(right, letters.length) };
  // Without an arrow: the ellipsis, then every index that occurs once, in alphabetical order.
  const counts = new Map<string, number>();
  for (const letter of left.replaceAll(/[.,]/g, '')) {
    counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  const once = [...counts.keys()].filter((letter) => counts.get(letter) === 1);
  return { terms, output: letters.join('') + once.sort().join('') };
}

export const einsum: Operators = { Einsum: { infer: inferEinsum, gradient: einsumGradient } };
