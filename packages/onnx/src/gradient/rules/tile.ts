/** As Expand: with an axis of its own for the copies of each axis, they are summed over. */
import type { GradientRule } from '../rule.ts';

export const Tile: GradientRule = (node, graph) => {
  const [x, g] = [node.inputs[0]!, node.outputGradients[0]!];
  const repeats = graph.intsOf(node.inputs[1]!);
  const rank = graph.rankOf(x);
  const shape = graph.shapeOf(x)!;
  if (repeats !== undefined && shape.every((size) => typeof size === 'number')) {
    const repeated = repeats.map((count, axis) => ({ count, size: shape[axis]! }));
    const sizes = repeated.flatMap(({ count, size }) => (count === 1 ? [size] : [count, size]));
    const axes: number[] = [];
    let at = 0;
    for (const { count } of repeated) {
      if (count === 1) at += 1;
      else {
        axes.push(at);
        at += 2;
      }
    }
    return [graph.reduceSum(graph.emit('Reshape', [g, graph.ints(sizes)]), axes, false)];
  }
  // [repeats, sizes] read column by column: repeat, size, repeat, size, …
  const rows = [node.inputs[1]!, graph.shapeTensor(x)].map((list) => graph.unsqueeze(list, [1]));
  const pairs = graph.emit('Concat', rows, { axis: 1 });
  const interleaved = graph.emit('Reshape', [g, graph.emit('Reshape', [pairs, graph.ints([-1])])]);
  const copies = Array.from({ length: rank }, (_, axis) => 2 * axis);
  return [graph.reduceSum(interleaved, copies, false)];
};
