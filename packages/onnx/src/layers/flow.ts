/** One layer after the other, each with its place as a part of its path. */
import type { Flow, Layer, LayerScope } from './layer.ts';

/** @throws Error that names the layer by its path when a value does not fit it. */
export function flow(scope: LayerScope, x: Flow, layers: readonly Layer[]): Flow {
  return layers.reduce((value, layer, index) => {
    const path = scope.path === '' ? String(index) : `${scope.path}.${index}`;
    try {
      return layer({ ...scope, path }, value);
    } catch (error) {
      if (error instanceof LayerMisfit) throw error;
      throw new LayerMisfit(
        `Layer ${path}: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  }, x);
}

class LayerMisfit extends Error {}

/** `x + layers(x)`, so that a gradient finds its way past them (He et al., 2016). */
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
