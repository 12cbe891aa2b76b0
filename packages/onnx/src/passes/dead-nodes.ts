/** Dead-node removal: removes nodes that no output depends on. Bit-exact. */
import type { GraphProto, NodeProto } from 'onnx-buf';
import { graphWith, withGraph, type Model } from '../model/model.ts';
import { readsOf } from '../model/node-view.ts';
import { mapBodies } from './bodies.ts';

/**
 * A model without the nodes and initialisers that no output depends on, also in its bodies. The
 * given model is not changed.
 */
export function removeDeadNodes(model: Model): Model {
  return withGraph(model, living(model.graph!));
}

function living(graph: GraphProto): GraphProto {
  const needed = new Set(graph.output.map(({ name }) => name));
  const node = liveNodes(
    graph.node.map((each) => mapBodies(each, living)),
    needed,
  );
  return graphWith(graph, {
    node,
    initializer: graph.initializer.filter(({ name }) => needed.has(name)),
    sparseInitializer: graph.sparseInitializer.filter(({ values }) =>
      needed.has(values?.name ?? ''),
    ),
    valueInfo: graph.valueInfo.filter(({ name }) => needed.has(name)),
    quantizationAnnotation: graph.quantizationAnnotation.filter(({ tensorName }) =>
      needed.has(tensorName),
    ),
  });
}

/**
 * The nodes that compute the needed values, in order; every name that they read is added to
 * `needed`.
 */
export function liveNodes(nodes: readonly NodeProto[], needed: Set<string>): NodeProto[] {
  const live: NodeProto[] = [];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    if (!node.output.some((name) => name !== '' && needed.has(name))) continue;
    for (const name of readsOf(node)) needed.add(name);
    live.push(node);
  }
  return live.reverse();
}
