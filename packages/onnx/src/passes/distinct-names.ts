/**
 * Gives each value of a model a name of its own. Branches of one If often use the same names, and a
 * body may hide a name of the graph around it; passes that move or rename values would then confuse
 * them. Bit-exact: only names inside bodies change.
 */
import { create } from '@bufbuild/protobuf';
import { SparseTensorProtoSchema, type GraphProto } from 'onnx-buf';
import { graphWith, withGraph, type Model } from '../model/model.ts';
import { subgraphsOf } from '../model/node-view.ts';
import { definitionsOf, FreshNames, mapBodies, nodeWith, withName } from './bodies.ts';

/** @param model a checked model, which is not changed. The names of its outermost graph stay. */
export function distinctNames(model: Model): Model {
  const graph = model.graph!;
  if (graph.node.every((node) => subgraphsOf(node).length === 0)) return model;
  const names = new FreshNames(definitionsOf(graph));
  const node = graph.node.map((each) => mapBodies(each, (body) => distinct(body, names)));
  return withGraph(model, { node });
}

function distinct(body: GraphProto, names: FreshNames, outer?: Scope): GraphProto {
  const scope = new Scope(outer);
  const define = (name: string) => (name === '' ? name : scope.define(name, names.of(name)));
  const named = <T extends { name: string }>(each: T) => withName(each, define(each.name));
  const input = body.input.map(named);
  // A default value has the name of its input.
  const inputs = new Set(body.input.map(({ name }) => name));
  const constant = <T extends { name: string }>(each: T) =>
    inputs.has(each.name) ? withName(each, scope.of(each.name)) : named(each);
  return graphWith(body, {
    input,
    initializer: body.initializer.map(constant),
    sparseInitializer: body.sparseInitializer.map((each) =>
      each.values === undefined
        ? each
        : create(SparseTensorProtoSchema, { ...each, values: constant(each.values) }),
    ),
    node: body.node.map((each) => {
      const read = each.input.map((name) => scope.of(name));
      const inner = mapBodies(each, (graph) => distinct(graph, names, scope));
      return nodeWith(inner, { input: read, output: each.output.map(define) });
    }),
    output: body.output.map((each) => withName(each, scope.of(each.name))),
    valueInfo: [],
  });
}

/** New names by the old ones; a name is visible from its definition on. */
class Scope {
  readonly #names = new Map<string, string>();
  readonly #outer: Scope | undefined;

  constructor(outer: Scope | undefined) {
    this.#outer = outer;
  }

  define(name: string, made: string): string {
    this.#names.set(name, made);
    return made;
  }

  of(name: string): string {
    return this.#names.get(name) ?? this.#outer?.of(name) ?? name;
  }
}
