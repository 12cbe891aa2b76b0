/**
 * Makes initialisers of `Constant` nodes, which are where some exporters store all weights: only
 * initialisers can be trained, quantised, frozen and inspected. Bit-exact.
 */
import type { GraphProto } from 'onnx-buf';
import { constantValue } from '../model/constant.ts';
import { graphWith, withGraph, type Model } from '../model/model.ts';
import { tensorProto } from '../model/protos.ts';
import { mapBodies } from './bodies.ts';

/**
 * A model whose constants are initialisers, also in its bodies. The given model is not changed;
 * weights are shared.
 */
export function liftConstants(model: Model): Model {
  return withGraph(model, lifted(model.graph!));
}

function lifted(graph: GraphProto): GraphProto {
  // Not every runtime accepts an initialiser as an output.
  const outputs = new Set(graph.output.map(({ name }) => name));
  const initializer = [...graph.initializer];
  const node = graph.node.flatMap((each) => {
    const name = each.output[0] ?? '';
    const value = outputs.has(name) ? undefined : constantValue(each);
    if (value === undefined) return [mapBodies(each, lifted)];
    initializer.push(tensorProto(name, value));
    return [];
  });
  return graphWith(graph, { node, initializer });
}
