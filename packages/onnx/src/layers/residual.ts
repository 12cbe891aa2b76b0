/** `x + layers(x)`, so that a gradient finds its way past them (He et al., 2016). */
import { flow } from './flow.ts';
import type { Layer } from './layer.ts';

export function residual(...layers: readonly Layer[]): Layer {
  return (scope, x) => {
    const y = flow(scope, x, layers);
    if (y.shape.join() !== x.shape.join()) {
      throw new Error(
        `residual cannot add [batch, ${y.shape.join(', ')}] to [batch, ${x.shape.join(', ')}].`,
      );
    }
    return { name: scope.graph.node('Add', [x.name, y.name])[0], shape: x.shape };
  };
}
