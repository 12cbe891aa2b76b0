/** Learnt vectors for tokens and for their positions. */
import type { Random } from '../tensor/random.ts';
import { requireRank, weight, type Layer } from './layer.ts';

/** Indices int64 [batch, length] → [batch, length, width]. */
export function embedding({ vocabulary, width }: { vocabulary: number; width: number }): Layer {
  return (scope, x) => {
    requireRank('embedding', x, 1, 'indices [batch, length]');
    const table = weight(
      scope,
      'weight',
      [vocabulary, width],
      spread(scope.random, vocabulary * width),
    );
    const [y] = scope.graph.node('Gather', [table, x.name], { axis: 0 });
    return { name: y, shape: [...x.shape, width] };
  };
}

/** Adds a learnt vector for every place: [batch, length, width] keeps its shape. */
export function positions(): Layer {
  return (scope, x) => {
    requireRank('positions', x, 2, '[batch, length, width]');
    const [length = 0, width = 0] = x.shape;
    const table = weight(scope, 'weight', [length, width], spread(scope.random, length * width));
    return { name: scope.graph.node('Add', [x.name, table])[0], shape: x.shape };
  };
}

/** Uniform with a standard deviation of 0.02, as GPT-2 begins. */
function spread(random: Random, count: number): Float32Array {
  const bound = 0.02 * Math.sqrt(3);
  return Float32Array.from({ length: count }, () => (random.next() * 2 - 1) * bound);
}
