/**
 * The graphs in a graph: branches of If, bodies of Loop and Scan. They read names of the graphs around
 * them.
 */
import { create } from '@bufbuild/protobuf';
import { AttributeProtoSchema, NodeProtoSchema, type GraphProto, type NodeProto } from 'onnx-buf';
import { graphWith } from '../model/model.ts';
import { subgraphsOf } from '../model/node-view.ts';

/** The same node with parts replaced. */
export function nodeWith(node: NodeProto, parts: Partial<NodeProto>): NodeProto {
  return Object.assign(create(NodeProtoSchema), node, parts);
}

/** The node with each of its bodies changed; the node itself when it has none. */
export function mapBodies(node: NodeProto, change: (body: GraphProto) => GraphProto): NodeProto {
  if (subgraphsOf(node).length === 0) return node;
  const attribute = node.attribute.map((each) =>
    each.g === undefined && each.graphs.length === 0
      ? each
      : Object.assign(create(AttributeProtoSchema), each, {
          ...(each.g && { g: change(each.g) }),
          graphs: each.graphs.map(change),
        }),
  );
  return nodeWith(node, { attribute });
}

/** The graph and all bodies in it, each before its own. */
export function* graphsIn(graph: GraphProto): Generator<GraphProto> {
  yield graph;
  for (const node of graph.node) for (const body of subgraphsOf(node)) yield* graphsIn(body);
}

/** Bytes of the initialisers that a file holds itself, in all graphs. */
export function weightBytes(graph: GraphProto): number {
  let bytes = 0;
  for (const { initializer } of graphsIn(graph)) {
    for (const { rawData, floatData } of initializer) {
      bytes += rawData.byteLength + 4 * floatData.length;
    }
  }
  return bytes;
}

/** Every name that a graph defines, its bodies left out. */
export function definitionsOf(graph: GraphProto): readonly string[] {
  return [
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.sparseInitializer.map(({ values }) => values?.name ?? ''),
    ...graph.node.flatMap(({ output }) => output),
  ].filter((name) => name !== '');
}

/**
 * The graph with names replaced wherever they are read or made, in its bodies too. No name may hide
 * another: see `distinctNames`.
 */
export function renamed(graph: GraphProto, names: ReadonlyMap<string, string>): GraphProto {
  if (names.size === 0) return graph;
  const of = (name: string) => names.get(name) ?? name;
  const inGraph = (each: GraphProto): GraphProto =>
    graphWith(each, {
      node: each.node.map((node) =>
        nodeWith(mapBodies(node, inGraph), {
          input: node.input.map(of),
          output: node.output.map(of),
        }),
      ),
      output: each.output.map((info) => withName(info, of(info.name))),
    });
  return inGraph(graph);
}

/** The message under another name; the message itself where that is its name. */
export function withName<T extends { name: string }>(message: T, name: string): T {
  if (message.name === name) return message;
  return Object.assign(Object.create(Object.getPrototypeOf(message) as object) as T, message, {
    name,
  });
}

/** Names for new values. */
export class FreshNames {
  readonly #taken: Set<string>;
  /** The last number by hint: a search from 1 each time would be quadratic. */
  readonly #last = new Map<string, number>();

  /** @param taken names that no new value may have. */
  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken);
  }

  /** Avoids the names of a graph and of all bodies in it. */
  static avoiding(graph: GraphProto): FreshNames {
    return new FreshNames([...graphsIn(graph)].flatMap(definitionsOf));
  }

  /** The hint, or the hint with another number where a value has that name. */
  of(wanted: string): string {
    if (wanted !== '' && !this.#taken.has(wanted)) {
      this.#taken.add(wanted);
      return wanted;
    }
    // Names of names would grow with each pass.
    const hint = wanted.replace(/(?:_\d+)+$/, '');
    let at = this.#last.get(hint) ?? 0;
    let name = at === 0 ? hint : `${hint}_${at}`;
    while (name === '' || this.#taken.has(name)) name = `${hint}_${++at}`;
    this.#last.set(hint, at);
    this.#taken.add(name);
    return name;
  }
}
