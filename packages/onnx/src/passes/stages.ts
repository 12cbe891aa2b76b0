/**
 * Cuts a graph into stages: models that run in order and together compute the outputs of the graph.
 * The outputs of early stages can be used while later ones still run.
 */
import type { ValueInfoProto } from 'onnx-buf';
import { inferShapes } from '../infer/inference.ts';
import { withGraph, type Model } from '../model/model.ts';
import { readsOf } from '../model/node-view.ts';
import { unsupportedModel } from '../onnx-error.ts';
import { valueInfoProto } from '../model/protos.ts';
import type { TensorSpec } from '../tensor/tensor.ts';

/**
 * A stage has only the nodes that its outputs need and no earlier stage has. A value that a stage
 * reads from an earlier one is an output there and an input here, under its name in the graph.
 *
 * @param groups of outputs, in the order in which they are wanted; every output of the model once.
 *   An output that an earlier stage computes is an output of that stage.
 * @throws OnnxError `unsupported` when the type of a value between two stages is unknown.
 */
export function inStages(model: Model, groups: readonly (readonly string[])[]): readonly Model[] {
  const graph = model.graph!;
  const stageOf = stagesOfNodes(model, groups);
  /** The stage that computes a value. */
  const madeIn = new Map<string, number>();
  graph.node.forEach(({ output }, i) => {
    const stage = stageOf[i];
    // An optional output that a node does not produce has no name.
    for (const name of output) if (stage !== undefined && name !== '') madeIn.set(name, stage);
  });
  const reads = groups.map(
    (_, stage) => new Set(graph.node.filter((_, i) => stageOf[i] === stage).flatMap(readsOf)),
  );
  const specs = inferShapes(model);
  return groups.map((_, stage) => {
    const read = reads[stage]!;
    const earlier = [...read].filter((name) => (madeIn.get(name) ?? stage) < stage);
    const later = [...madeIn].filter(
      ([name, made]) =>
        made === stage && reads.some((set, other) => other > stage && set.has(name)),
    );
    const own = graph.output.filter(({ name }) => (madeIn.get(name) ?? 0) === stage);
    const ownNames = new Set(own.map(({ name }) => name));
    return withGraph(model, {
      name: `${graph.name}/${stage}`,
      node: graph.node.filter((_, i) => stageOf[i] === stage),
      input: [
        ...graph.input.filter(({ name }) => read.has(name)),
        ...earlier.map((name) => between(name, specs)),
      ],
      output: [
        ...own,
        ...later.filter(([name]) => !ownNames.has(name)).map(([name]) => between(name, specs)),
      ],
      initializer: graph.initializer.filter(({ name }) => read.has(name) || ownNames.has(name)),
    });
  });
}

/** By node; `undefined` for one that no output needs. */
function stagesOfNodes(
  model: Model,
  groups: readonly (readonly string[])[],
): readonly (number | undefined)[] {
  const nodes = model.graph!.node;
  const stages: (number | undefined)[] = nodes.map(() => undefined);
  for (const [stage, group] of groups.entries()) {
    const needed = new Set(group);
    for (let i = nodes.length - 1; i >= 0; i -= 1) {
      const node = nodes[i]!;
      if (!node.output.some((name) => needed.has(name))) continue;
      for (const name of readsOf(node)) needed.add(name);
      stages[i] ??= stage;
    }
  }
  return stages;
}

function between(name: string, specs: ReadonlyMap<string, TensorSpec>): ValueInfoProto {
  const spec = specs.get(name);
  if (spec === undefined) {
    throw unsupportedModel(
      `The graph cannot be cut into stages: the type of '${name}', which goes from one to another, is not known.`,
    );
  }
  return valueInfoProto(name, spec.type, spec.shape);
}
