/** Element by element: x of any shape → the same shape. */
import { float } from '../model/attribute.ts';
import type { GraphBuilder } from '../model/builder.ts';
import { tensor } from '../tensor/tensor.ts';
import type { Layer } from './layer.ts';

export type Activation = 'none' | 'relu' | 'leakyRelu' | 'gelu' | 'tanh' | 'sigmoid' | 'silu';

export function activation(kind: Activation): Layer {
  return ({ graph }, x) => ({ name: activate(graph, x.name, kind), shape: x.shape });
}

/**
 * Returns the name of the activated value.
 * @throws Error for a kind that there is not, which plain JavaScript may give.
 */
export function activate(graph: GraphBuilder, x: string, kind: Activation): string {
  switch (kind) {
    case 'none':
      return x;
    case 'relu':
      return graph.node('Relu', [x])[0];
    case 'leakyRelu':
      return graph.node('LeakyRelu', [x], { alpha: float(0.01) })[0];
    case 'tanh':
      return graph.node('Tanh', [x])[0];
    case 'sigmoid':
      return graph.node('Sigmoid', [x])[0];
    case 'silu':
      return graph.node('Mul', [x, graph.node('Sigmoid', [x])[0]])[0];
    case 'gelu':
      return gelu(graph, x);
    default:
      throw new Error(`There is no activation '${String(kind satisfies never)}'.`);
  }
}

/** x · ½(1 + erf(x / √2)), exactly (Hendrycks and Gimpel, 2016); the operator of this name is newer than opset 17. */
function gelu(graph: GraphBuilder, x: string): string {
  const constant = (name: string, value: number) =>
    graph.initializer(`${x}/${name}`, tensor('float32', [], Float32Array.of(value)));
  const [scaled] = graph.node('Mul', [x, constant('root_half', Math.SQRT1_2)]);
  const [erf] = graph.node('Erf', [scaled]);
  const [shifted] = graph.node('Add', [erf, constant('one', 1)]);
  const [half] = graph.node('Mul', [x, constant('half', 0.5)]);
  return graph.node('Mul', [half, shifted])[0];
}
