/**
 * Checks a model before a runtime tries to run it, so that the message can name the node instead of
 * a line in C++. It checks structure: names, order, sizes, and that every standard operator exists
 * in the imported operator set. Types and shapes are checked by the runtime, and so are operators
 * of other domains (`com.microsoft`).
 *
 * Follows "Open Neural Network Exchange Intermediate Representation", Graphs: single static
 * assignment, topological order, subgraphs that see the names of the graphs around them.
 */
import {
  TensorProto_DataLocation as Location,
  type FunctionProto,
  type GraphProto,
  type NodeProto,
  type OperatorSetIdProto,
  type TensorProto,
} from 'onnx-buf';
import { countOf, elementTypeName, rawByteLength } from '../tensor/element-type.ts';
import { domainName, type Model } from './model.ts';
import { invalidModel, unsupportedModel, type OnnxError } from '../onnx-error.ts';
import { whyAbsent } from '../opsets.ts';
import { storedTensors } from './tensor-protos.ts';

/** @throws OnnxError `invalid` or `unsupported` for the first flaw, naming node, operator and value. */
export function checkModel(model: Model): void {
  if (model.graph === undefined) throw invalidModel('The model holds no graph.');
  const functions = new Set(model.functions.map((each) => key(each.domain, each.name)));
  for (const { tensor, place } of storedTensors(model)) checkSize(tensor, place);
  // Before IR version 3 a model imports operator set 1 implicitly.
  const imports = importsOf(model.opsetImport);
  if (imports.size === 0) imports.set('ai.onnx', 1);
  const context = { imports, functions };
  checkGraph(model.graph, new Scope(), context);
  for (const each of model.functions) checkFunction(each, functions);
}

interface Context {
  /** Domain → operator set version. */
  readonly imports: ReadonlyMap<string, number>;
  /** Operators that the model itself defines. */
  readonly functions: ReadonlySet<string>;
}

function importsOf(imports: readonly OperatorSetIdProto[]): Map<string, number> {
  return new Map(imports.map(({ domain, version }) => [domainName(domain), Number(version)]));
}

const key = (domain: string, operator: string) => `${domainName(domain)}:${operator}`;

function checkGraph(graph: GraphProto, scope: Scope, context: Context): void {
  const initialised = new Set<string>();
  const names = [
    ...graph.initializer.map(({ name }) => name),
    ...graph.sparseInitializer.map(({ values }) => values?.name ?? ''),
  ];
  for (const name of names) {
    if (initialised.has(name)) throw invalidModel(`Initialiser '${name}' occurs twice.`);
    initialised.add(name);
    scope.define(name);
  }
  const inputs = new Set<string>();
  for (const { name } of graph.input) {
    if (name === '' || inputs.has(name)) {
      throw invalidModel(name === '' ? 'An input has no name.' : `Input '${name}' occurs twice.`);
    }
    inputs.add(name);
    scope.define(name);
  }
  checkNodes(graph.node, scope, context);
  for (const { name } of graph.output) {
    if (!scope.sees(name)) {
      throw invalidModel(`Output '${name}' of graph '${graph.name}' is never produced.`);
    }
  }
}

function checkFunction(definition: FunctionProto, functions: ReadonlySet<string>): void {
  const scope = new Scope();
  for (const name of definition.input) scope.define(name);
  checkNodes(definition.node, scope, { imports: importsOf(definition.opsetImport), functions });
  for (const name of definition.output) {
    if (!scope.sees(name)) {
      throw invalidModel(`Output '${name}' of function '${definition.name}' is never produced.`);
    }
  }
}

function checkNodes(nodes: readonly NodeProto[], scope: Scope, context: Context): void {
  nodes.forEach((node, position) => {
    const title = titleOf(node, position);
    checkOperator(node, title, context);
    for (const name of node.input) {
      if (name !== '' && !scope.sees(name)) throw undefinedInput(nodes, position, title, name);
    }
    for (const attribute of node.attribute) {
      if (attribute.g !== undefined) checkGraph(attribute.g, new Scope(scope), context);
      for (const graph of attribute.graphs) checkGraph(graph, new Scope(scope), context);
    }
    for (const name of node.output) {
      if (name !== '' && !scope.define(name)) {
        throw invalidModel(`${title} produces '${name}', which already exists.`);
      }
    }
  });
}

function titleOf({ name, opType }: NodeProto, position: number): string {
  return name === '' ? `Node ${position} (${opType})` : `Node '${name}' (${opType})`;
}

function undefinedInput(
  nodes: readonly NodeProto[],
  position: number,
  title: string,
  name: string,
): OnnxError {
  const later = nodes.findIndex((node, i) => i >= position && node.output.includes(name));
  return invalidModel(
    later < 0
      ? `${title} reads '${name}', which nothing produces.`
      : `${title} reads '${name}' before ${titleOf(nodes[later]!, later).replace('Node', 'node')} produces it: the nodes are not in order.`,
  );
}

function checkOperator(node: NodeProto, title: string, { imports, functions }: Context): void {
  if (node.opType === '') throw invalidModel(`${title} names no operator.`);
  if (functions.has(key(node.domain, node.opType))) return;
  const domain = domainName(node.domain);
  const opset = imports.get(domain);
  if (opset === undefined) {
    throw invalidModel(`${title} belongs to domain '${domain}', which the model does not import.`);
  }
  const absence = whyAbsent(domain, node.opType, opset);
  if (absence !== undefined) {
    const where = node.name === '' ? '' : ` (node '${node.name}')`;
    throw unsupportedModel(`Operator '${node.opType}'${where} ${absence}.`);
  }
}

function checkSize(tensor: TensorProto, place: string): void {
  if (tensor.dims.some((size) => size < 0n)) {
    throw invalidModel(`A dimension of ${place} is negative.`);
  }
  if (tensor.dataLocation === Location.EXTERNAL) return;
  const count = countOf(tensor.dims);
  const shape = `[${tensor.dims.join(', ')}]`;
  const type = elementTypeName(tensor.dataType);
  if (tensor.rawData.byteLength > 0) {
    const expected = rawByteLength(tensor.dataType, count);
    if (expected !== tensor.rawData.byteLength) {
      throw invalidModel(
        expected === undefined
          ? `The ${place} holds raw bytes, which its element type ${type} cannot.`
          : `The ${place} of shape ${shape} and type ${type} takes ${expected} bytes, but holds ${tensor.rawData.byteLength}.`,
      );
    }
    return;
  }
  const stored = storedElements(tensor, type);
  if (stored === undefined) {
    throw invalidModel(`The ${place} has no element type.`);
  }
  // Several sub-byte elements share one number.
  const expected = /^u?int[24]$|^float4/.test(type)
    ? rawByteLength(tensor.dataType, count)!
    : count;
  if (stored !== expected) {
    throw invalidModel(
      `The ${place} of shape ${shape} takes ${expected} elements, but holds ${stored}.`,
    );
  }
}

/** Elements in the field of onnx.proto that holds this type. */
function storedElements(tensor: TensorProto, type: string): number | undefined {
  switch (type) {
    case 'float32':
      return tensor.floatData.length;
    case 'complex64':
      return tensor.floatData.length / 2;
    case 'float64':
      return tensor.doubleData.length;
    case 'complex128':
      return tensor.doubleData.length / 2;
    case 'int64':
      return tensor.int64Data.length;
    case 'uint32':
    case 'uint64':
      return tensor.uint64Data.length;
    case 'string':
      return tensor.stringData.length;
    case 'undefined':
      return undefined;
    default:
      return tensor.int32Data.length;
  }
}

/** The names that a node may read: the names of its graph so far, and of the graphs around it. */
export class Scope {
  readonly #names = new Set<string>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  /** Adds a name; `false` when this graph already has it. Hiding an outer name is allowed. */
  define(name: string): boolean {
    if (this.#names.has(name)) return false;
    this.#names.add(name);
    return true;
  }

  sees(name: string): boolean {
    return this.#names.has(name) || (this.#outer?.sees(name) ?? false);
  }
}
