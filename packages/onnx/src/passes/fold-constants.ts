/**
 * Constant folding, as far as training needs it: weights that an exporter stored in `Constant`
 * nodes become initialisers, which can be trained, frozen and inspected. ONNX Runtime does all
 * other folding when it loads a model.
 */
import { constantValue } from '../model/constant.ts';
import { withGraph, type Model } from '../model/model.ts';
import { tensorProto } from '../model/protos.ts';

/** A model whose constants are initialisers. The given model is not changed; weights are shared. */
export function foldConstants(model: Model): Model {
  const graph = model.graph!;
  // Not every runtime accepts an initialiser as an output.
  const outputs = new Set(graph.output.map(({ name }) => name));
  const initializer = [...graph.initializer];
  const node = graph.node.filter((each) => {
    const name = each.output[0] ?? '';
    const value = outputs.has(name) ? undefined : constantValue(each);
    if (value === undefined) return true;
    initializer.push(tensorProto(name, value));
    return false;
  });
  return withGraph(model, { node, initializer });
}
