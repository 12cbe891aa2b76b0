/** Dead-node removal: removes nodes that no output depends on. */
import type { NodeProto } from 'onnx-buf';
import { withGraph, type Model } from '../model/model.ts';
import { readsOf } from '../model/node-view.ts';

/**
 * A model without the nodes and initialisers that no output depends on. The given model is not
 * changed.
 */
export function removeDeadNodes(model: Model): Model {
  const graph = model.graph!;
  const needed = new Set(graph.output.map(({ name }) => name));
  const node = liveNodes(graph.node, needed);
  return withGraph(model, {
    node,
    initializer: graph.initializer.filter(({ name }) => needed.has(name)),
    sparseInitializer: graph.sparseInitializer.filter(({ values }) =>
      needed.has(values?.name ?? ''),
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
    if (!node.output.some((name) => needed.has(name))) continue;
    for (const name of readsOf(node)) needed.add(name);
    live.push(node);
  }
  return live.reverse();
}
