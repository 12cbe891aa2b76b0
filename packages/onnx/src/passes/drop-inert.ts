/**
 * Removes nodes that change nothing at inference: Identity, and Dropout outside training. Bit-exact.
 */
import type { GraphProto, NodeProto, TensorProto } from 'onnx-buf';
import { graphWith, opsetOf, withGraph, type Model } from '../model/model.ts';
import { isStandard } from '../model/node-view.ts';
import { tensorOf } from '../model/protos.ts';
import { values } from '../tensor/tensor.ts';
import { graphsIn, mapBodies, renamed } from './bodies.ts';

/** The operator set from which Dropout is inert without an attribute. */
const INFERENCE_BY_DEFAULT = 7;

/**
 * An Identity stays where it makes an output of an input, an initialiser, a value of another graph or a second output. The given
 * model is not changed.
 *
 * @param model of distinct names, see `distinctNames`.
 */
export function dropInert(model: Model): Model {
  const graph = model.graph!;
  const opset = opsetOf(model) ?? 1;
  const constants = new Map<string, TensorProto>();
  const reads = new Set<string>();
  for (const each of graphsIn(graph)) {
    for (const tensor of each.initializer) constants.set(tensor.name, tensor);
    for (const node of each.node) for (const name of node.input) reads.add(name);
    for (const { name } of each.output) reads.add(name);
  }
  const isInert = (node: NodeProto): boolean => {
    if (node.input[0] === undefined || node.input[0] === '' || !node.output[0]) return false;
    if (isStandard(node, 'Identity')) return true;
    if (!isStandard(node, 'Dropout') || opset < INFERENCE_BY_DEFAULT) return false;
    const mode = node.input[2] ?? '';
    const trains = mode !== '' && !isFalse(constants.get(mode));
    return !trains && !reads.has(node.output[1] ?? '');
  };
  const names = new Map<string, string>();
  const kept = withoutInert(graph, isInert, names);
  if (names.size === 0) return model;
  const ends = new Map([...names.keys()].map((name) => [name, rootOf(name, names)]));
  return withGraph(model, renamed(kept, ends));
}

/** @param names gets the names that are to be replaced. */
function withoutInert(
  graph: GraphProto,
  isInert: (node: NodeProto) => boolean,
  names: Map<string, string>,
): GraphProto {
  const outputs = new Set(graph.output.map(({ name }) => name));
  const made = new Set<string>();
  const node = graph.node.flatMap((each) => {
    if (isInert(each)) {
      const from = rootOf(each.input[0]!, names);
      const to = each.output[0]!;
      if (!outputs.has(to)) {
        names.set(to, from);
        return [];
      }
      // The node that makes the value may make it under the name of the output.
      if (made.has(from) && !outputs.has(from)) {
        names.set(from, to);
        made.add(to);
        return [];
      }
    }
    for (const name of each.output) made.add(name);
    return [mapBodies(each, (body) => withoutInert(body, isInert, names))];
  });
  return graphWith(graph, { node });
}

/** Follows replaced names to the last, and shortens the path for the next time. */
function rootOf(name: string, names: Map<string, string>): string {
  let root = name;
  for (let next = names.get(root); next !== undefined; next = names.get(root)) root = next;
  for (let at = name; at !== root;) {
    const next = names.get(at)!;
    names.set(at, root);
    at = next;
  }
  return root;
}

function isFalse(mode: TensorProto | undefined): boolean {
  const value = mode && tensorOf(mode);
  return value?.type === 'bool' && values(value).every((each) => each === 0);
}
