/** Replaces nodes by looking at the nodes that make their inputs, in every graph of a model. */
import type { GraphProto, NodeProto, TensorProto } from 'onnx-buf';
import type { Inference } from '../infer/inference.ts';
import { graphWith, withGraph, type Model } from '../model/model.ts';
import { isStandard } from '../model/node-view.ts';
import { tensorOf, tensorProto } from '../model/protos.ts';
import { values, type Tensor } from '../tensor/tensor.ts';
import { FreshNames, graphsIn, mapBodies } from './bodies.ts';
import { factsInBody, follow, statedFacts } from './facts.ts';

/** The nodes in the place of a node; `undefined` keeps it. Nodes that nothing reads any more are left to `removeDeadNodes`. */
export type Rewrite = (node: NodeProto, around: Surroundings) => readonly NodeProto[] | undefined;

export interface Surroundings {
  /** The node of the same graph that makes a value, when it has that operator. */
  maker(name: string | undefined, operator: string): NodeProto | undefined;
  /** Whether exactly one node or output reads a value. */
  isReadOnce(name: string): boolean;
  /** The elements of a float32 initialiser. */
  floats(name: string | undefined): { shape: readonly number[]; data: Float32Array } | undefined;
  constant(name: string | undefined): Tensor | undefined;
  /** Sizes of a value as far as they are inferred. */
  shapeOf(name: string): readonly (number | string)[] | undefined;
  /** Adds an initialiser; returns its name. */
  initialiser(hint: string, value: Tensor): string;
}

/** @param model of distinct names, see `distinctNames`. It is not changed. */
export function rewrite(model: Model, rule: Rewrite): Model {
  const graph = model.graph!;
  const stored = new Map<string, TensorProto>();
  const readers = new Map<string, number>();
  const note = (name: string) => readers.set(name, (readers.get(name) ?? 0) + 1);
  for (const each of graphsIn(graph)) {
    for (const tensor of each.initializer) stored.set(tensor.name, tensor);
    for (const node of each.node) node.input.forEach(note);
    for (const { name } of each.output) note(name);
  }
  const names = FreshNames.avoiding(graph);
  const added: TensorProto[] = [];

  const constant = (name = '') => {
    const found = stored.get(name);
    return found && tensorOf(found);
  };
  const inGraph = (each: GraphProto, facts: Inference): GraphProto => {
    const makers = new Map<string, NodeProto>();
    const around: Surroundings = {
      maker(name = '', operator) {
        const found = makers.get(name);
        return found !== undefined && isStandard(found, operator) ? found : undefined;
      },
      isReadOnce: (name) => readers.get(name) === 1,
      constant,
      floats(name) {
        const value = constant(name);
        if (value?.type !== 'float32') return undefined;
        return { shape: value.shape, data: values(value) as Float32Array };
      },
      shapeOf: (name) => facts.of(name)?.shape,
      initialiser(hint, value) {
        const proto = tensorProto(names.of(hint), value);
        stored.set(proto.name, proto);
        added.push(proto);
        return proto.name;
      },
    };
    const node = each.node.flatMap((old) => {
      const written = rule(old, around) ?? [
        mapBodies(old, (body) => inGraph(body, factsInBody(facts, body))),
      ];
      for (const made of written) for (const name of made.output) makers.set(name, made);
      follow(facts, old);
      return written;
    });
    return graphWith(each, { node });
  };

  const changed = inGraph(graph, statedFacts(model));
  return withGraph(model, {
    node: changed.node,
    initializer: [...graph.initializer, ...added],
  });
}
