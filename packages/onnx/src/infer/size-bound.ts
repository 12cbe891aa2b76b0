/** Whether the work of a model follows from the sizes of its inputs. */
import type { NodeProto, ValueInfoProto } from 'onnx-buf';
import { inferShapes } from './inference.ts';
import { subgraphsOf } from '../model/node-view.ts';
import type { Model } from '../model/model.ts';

/**
 * Whether inputs of the same sizes always take about the same work, whatever their values: no loops or branches, no
 * strings, and no value whose size depends on data. A value that cannot be inferred counts as one that does, whatever
 * the file declares.
 *
 * Changes the model: unnamed sizes of its inputs get names, and what it states of other values is dropped.
 *
 * @throws OnnxError as `inferShapes` does.
 */
export function isSizeBound(model: Model): boolean {
  const { graph, functions } = model;
  if (graph === undefined || functions.length > 0) return false;
  if (graph.node.some((node) => subgraphsOf(node).length > 0)) return false;
  graph.input.forEach(nameSizes);
  graph.valueInfo = [];
  graph.output = [];
  const known = inferShapes(model);
  const isBound = (name: string): boolean => {
    const value = known.get(name);
    return value !== undefined && value.type !== 'string' && !value.shape.includes(null);
  };
  const names = [...graph.input.map(({ name }) => name), ...graph.node.flatMap(outputsOf)];
  return names.every(isBound);
}

function nameSizes({ name, type }: ValueInfoProto): void {
  if (type?.value.case !== 'tensorType') return;
  for (const [axis, size] of (type.value.value.shape?.dim ?? []).entries()) {
    if (size.value.case !== 'dimValue' || size.value.value < 0n) {
      size.value = { case: 'dimParam', value: `${name}.${axis}` };
    }
  }
}

/** The used outputs of a node. */
function outputsOf({ output }: NodeProto): string[] {
  return output.filter((name) => name !== '');
}
