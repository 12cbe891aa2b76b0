/**
 * Reverse-mode differentiation of a graph, as a function from model to model.
 *
 * The result computes the outputs of the model and, as further outputs named `grad:<name>`, the
 * gradient of a scalar loss with respect to parameters and inputs. It is written in standard
 * operators, so that it runs wherever the model runs. The nodes of the forward graph are visited
 * once in reverse order; each passes the gradients of its outputs to the rule of its operator, and
 * the gradients of a value with several readers are added up.
 *
 * Only nodes between the wanted values and the loss are differentiated; the rest of the graph may
 * contain any operator. If, Loop and Scan on the path are refused, and so is an operator without a
 * rule.
 *
 * Griewank and Walther, Evaluating Derivatives (2008), chapter 3.
 */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type GraphProto, type NodeProto } from 'onnx-buf';
import { inferenceOf, InferredNode, named, type Inference } from '../infer/inference.ts';
import { isStatic } from '../infer/size.ts';
import { withGraph, type Model } from '../model/model.ts';
import { readsOf, subgraphsOf, titleOf } from '../model/node-view.ts';
import { invalidModel, unsupportedModel } from '../onnx-error.ts';
import { gradientRule } from '../operators/registry.ts';
import { liveNodes } from '../passes/dead-nodes.ts';
import { nodeProto, valueInfoProto } from '../model/protos.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import { GraphWriter } from './graph-writer.ts';
import { joinedParts } from './joined-parts.ts';
import { narrowProducts } from './narrow-products.ts';
import { reluAfterPool } from './relu-after-pool.ts';
import type { GradientNode, GradientRule } from './rule.ts';
import { filled } from '../tensor/numbers.ts';

export interface GradientOptions {
  /** Name of a value with one element. */
  readonly loss: string;
  /**
   * Initialisers to differentiate with respect to. Default: every one of floating-point numbers that
   * has axes and that the loss depends on; scalars are taken for constants of a formula. Running
   * statistics of a BatchNormalization are not among them: they are measured, not trained. Nor are
   * scales of a QuantizeLinear.
   */
  readonly parameters?: readonly string[] | undefined;
  /** Inputs, or any other values, to differentiate with respect to. */
  readonly inputs?: readonly string[] | undefined;
  /**
   * Gradients of the loss that the graph computes already, by the value that they belong to: the
   * walk starts there instead of at the loss. `withLoss` gives them.
   */
  readonly seeds?: Readonly<Record<string, string>> | undefined;
}

/** Name of the output that holds the gradient with respect to a value. */
export function gradientName(name: string): string {
  return `grad:${name}`;
}

/**
 * Returns the model with the gradients of its loss as further outputs, in the order of `parameters`
 * and then `inputs`. The given model is not changed; weights are shared, not copied.
 *
 * @throws OnnxError `unsupported` when a node on the path cannot be differentiated, naming it, and
 *   when the loss does not depend on a wanted value; `invalid` when a name is not in the model or
 *   the loss is not one number.
 */
export function gradient(given: Model, options: GradientOptions): Model {
  const { loss, parameters = [], inputs = [], seeds = {} } = options;
  const model = reluAfterPool(
    given,
    new Set([loss, ...parameters, ...inputs, ...Object.keys(seeds)]),
  );
  const inference = inferenceOf(model);
  const graph = model.graph!;
  const wanted = wantedValues(graph, inference, options);
  const nodes = graph.node.map(ownNode);
  const activity = activityOf(nodes, wanted, inference);
  const writer = new GraphWriter(inference, namesOf(graph), new Set(wanted));
  requireRules(nodes, activity, [loss, ...Object.keys(seeds)], writer);
  const sums = new Contributions(writer);
  for (const [name, seed] of seedsOf(options, inference, writer)) sums.add(name, seed);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const leads = node.output.some((name) => sums.has(name));
    if (leads && readsOf(node).some((name) => activity.names.has(name))) {
      differentiate(node, activity.names, sums, writer);
    }
  }
  const explicit = new Set([...parameters, ...inputs]);
  const results = new Map<string, string>();
  const notReached = (name: string) => {
    const stop = firstStop(nodes, activity, [loss, ...Object.keys(seeds)], graph, inference);
    const why =
      stop === undefined
        ? ''
        : ` ${titleOf(stop)} makes something other than floating-point numbers, through which there is no gradient.`;
    return unsupportedModel(`The loss '${loss}' does not depend on ${name}.${why}`);
  };
  for (const name of wanted) {
    if (sums.has(name)) results.set(name, sums.total(name));
    else if (explicit.has(name)) throw notReached(`'${name}'`);
  }
  if (results.size === 0) throw notReached('any parameter');
  const forward = narrowProducts(nodes, new Set(wanted), writer);
  return assembled(model, forward, writer, results, inference, loss);
}

function wantedValues(
  graph: GraphProto,
  inference: Inference,
  { loss, parameters, inputs = [] }: GradientOptions,
): readonly string[] {
  const fixed = new Set(
    graph.node.flatMap(({ opType, input }) => {
      if (opType === 'BatchNormalization') return input.slice(3, 5);
      return opType === 'QuantizeLinear' ? input.slice(1, 2) : [];
    }),
  );
  const weights = graph.initializer.map(({ name }) => name).filter((name) => !fixed.has(name));
  const chosen =
    parameters ??
    weights.filter((name) => isFloat(inference, name) && inference.of(name)?.shape?.length !== 0);
  const names = namesOf(graph);
  for (const name of [loss, ...chosen, ...inputs]) {
    if (!names.has(name)) {
      throw invalidModel(`The model has no value named '${name}'.`);
    }
  }
  for (const name of [...chosen, ...inputs]) {
    if (isFloat(inference, name)) continue;
    const type = inference.of(name)?.type ?? 'unknown';
    throw unsupportedModel(
      `'${name}' has the element type ${type}, and only floating-point numbers have gradients.`,
    );
  }
  return [...new Set([...chosen, ...inputs])];
}

function isFloat(inference: Inference, name: string): boolean {
  const type = inference.of(name)?.type;
  return type === 'float32' || type === 'float64' || type === 'float16' || type === 'bfloat16';
}

/** Every name that a graph defines. */
export function namesOf(graph: GraphProto): Set<string> {
  return new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ]);
}

/** A node whose list of outputs can be added to. */
function ownNode(node: NodeProto): NodeProto {
  return Object.assign(create(NodeProtoSchema), node, { output: [...node.output] });
}

interface Activity {
  /** Values that depend on a wanted value, through floating-point numbers and integers of a QuantizeLinear. */
  readonly names: ReadonlySet<string>;
  /** Nodes that convert such a value to another type: the gradient ends there. */
  readonly stops: readonly NodeProto[];
}

function activityOf(
  nodes: readonly NodeProto[],
  wanted: readonly string[],
  inference: Inference,
): Activity {
  const names = new Set(wanted);
  const stops: NodeProto[] = [];
  for (const node of nodes) {
    if (!readsOf(node).some((name) => names.has(name))) continue;
    // When the type is not known, the rule decides. Integers of a grid carry a gradient as an estimate.
    const onGrid = node.opType === 'QuantizeLinear';
    const carriers = node.output.filter(
      (name) =>
        name !== '' && (inference.of(name) === undefined || isFloat(inference, name) || onGrid),
    );
    if (carriers.length === 0) stops.push(node);
    for (const name of carriers) names.add(name);
  }
  return { names, stops };
}

function seedsOf(
  { loss, seeds }: GradientOptions,
  inference: Inference,
  writer: GraphWriter,
): readonly (readonly [string, string])[] {
  if (seeds !== undefined) return Object.entries(seeds);
  const known = inference.of(loss);
  if (known === undefined) {
    throw unsupportedModel(`The shape of the loss '${loss}' cannot be inferred.`);
  }
  const { type, shape } = known;
  if (!isStatic(shape) || elementCount(shape) !== 1) {
    const found =
      shape === undefined
        ? 'an unknown shape'
        : `the shape [${shape.map(named).map(String).join(', ')}]`;
    throw invalidModel(`The loss '${loss}' has ${found}, but must be one number.`);
  }
  return [[loss, writer.constant(filled(type, shape, 1))]];
}

/**
 * The node at which gradients end on the path to the loss: one that converts a wanted value to
 * integers, or, when no wanted value is upstream of it, one that converts numbers of a model of
 * integers.
 */
function firstStop(
  nodes: readonly NodeProto[],
  { stops }: Activity,
  ends: readonly string[],
  graph: GraphProto,
  inference: Inference,
): NodeProto | undefined {
  const onTheWay = new Set(liveNodes(nodes, new Set(ends)));
  const asksForSize = ({ opType }: NodeProto) => opType === 'Shape' || opType === 'Size';
  const reached = stops.find((node) => onTheWay.has(node) && !asksForSize(node));
  if (reached !== undefined) return reached;
  const stored = new Set(graph.initializer.map(({ name }) => name));
  const isData = (name: string) =>
    isFloat(inference, name) || (stored.has(name) && (inference.of(name)?.shape?.length ?? 0) > 1);
  const isInteger = (name: string) => /^u?int/.test(inference.of(name)?.type ?? '');
  return [...onTheWay].find(
    (node) =>
      !asksForSize(node) && node.output.slice(0, 1).some(isInteger) && node.input.some(isData),
  );
}

/**
 * Refuses a model that cannot be differentiated before any node is written: after such a node types
 * are not known well enough for a helpful message.
 */
function requireRules(
  nodes: readonly NodeProto[],
  { names, stops }: Activity,
  ends: readonly string[],
  writer: GraphWriter,
): void {
  const ended = new Set(stops);
  const onTheWay = liveNodes(nodes, new Set(ends)).filter(
    (node) => !ended.has(node) && readsOf(node).some((name) => names.has(name)),
  );
  for (const node of onTheWay) {
    writer.subject = titleOf(node);
    if (subgraphsOf(node).length > 0) {
      writer.fail(`gradients through ${node.opType} are not supported`);
    }
    if (ruleOf(node) !== undefined) continue;
    const what = isStandard(node) ? node.opType : `${node.domain}:${node.opType}`;
    writer.fail(`there is no gradient rule for ${what}`);
  }
}

function ruleOf(node: NodeProto): GradientRule | undefined {
  return isStandard(node) ? gradientRule(node.opType) : undefined;
}

function isStandard({ domain }: NodeProto): boolean {
  return domain === '' || domain === 'ai.onnx';
}

/** Gradients of a value that are not added up yet, one from each of its readers. */
class Contributions {
  readonly #lists = new Map<string, string[]>();
  readonly #writer: GraphWriter;

  constructor(writer: GraphWriter) {
    this.#writer = writer;
  }

  add(name: string, gradient: string): void {
    const list = this.#lists.get(name);
    if (list === undefined) this.#lists.set(name, [gradient]);
    else list.push(gradient);
  }

  has(name: string): boolean {
    return this.#lists.has(name);
  }

  total(name: string): string {
    const list = this.#lists.get(name)!;
    if (list.length > 1) {
      const sum =
        joinedParts(list, this.#writer) ??
        this.#writer.emit(list.length === 2 ? 'Add' : 'Sum', list);
      list.splice(0, list.length, sum);
    }
    return list[0]!;
  }
}

function differentiate(
  node: NodeProto,
  active: ReadonlySet<string>,
  sums: Contributions,
  writer: GraphWriter,
): void {
  writer.subject = titleOf(node);
  const rule = ruleOf(node)!;
  const outputGradients = node.output.map((name) =>
    sums.has(name) ? sums.total(name) : undefined,
  );
  const results = rule(new ForwardNode(node, outputGradients, active, writer), writer);
  results.forEach((result, index) => {
    const name = node.input[index] ?? '';
    if (result !== undefined && active.has(name)) sums.add(name, result);
  });
}

export class ForwardNode extends InferredNode implements GradientNode {
  readonly outputGradients: readonly (string | undefined)[];
  readonly #active: ReadonlySet<string>;
  readonly #writer: GraphWriter;

  constructor(
    proto: NodeProto,
    outputGradients: readonly (string | undefined)[],
    active: ReadonlySet<string>,
    writer: GraphWriter,
  ) {
    super(proto, writer.inference);
    this.outputGradients = outputGradients;
    this.#active = active;
    this.#writer = writer;
  }

  override tensor(index: number): Tensor | undefined {
    return this.#writer.constantOf(this.inputs[index] ?? '');
  }

  wants(index: number): boolean {
    return this.#active.has(this.inputs[index] ?? '');
  }

  demand(index: number): string {
    const { output } = this.proto;
    while (output.length <= index) output.push('');
    if (output[index] === '') {
      const first = output.find((name) => name !== '')!;
      output[index] = `${first}/output_${index}`;
      this.#writer.inferAgain(this.proto);
    }
    return output[index]!;
  }
}

/** Forward nodes, the nodes of the rules, and the gradients under their names. */
function assembled(
  model: Model,
  forward: readonly NodeProto[],
  writer: GraphWriter,
  results: ReadonlyMap<string, string>,
  inference: Inference,
  loss: string,
): Model {
  const graph = model.graph!;
  const outputs = graph.output.map(({ name }) => name);
  const needed = new Set([...outputs, loss, ...results.values()]);
  const backward = liveNodes(writer.nodes, needed);
  const nodes = [...liveNodes(forward, needed), ...backward];
  const made = new Map(
    backward.flatMap((node) => node.output.map((name) => [name, node] as const)),
  );
  const renamed = new Map<string, string>();
  for (const [name, result] of results) {
    const output = gradientName(name);
    if (made.has(result) && !renamed.has(result)) renamed.set(result, output);
    else nodes.push(nodeProto('Identity', output, [renamed.get(result) ?? result], [output], {}));
  }
  for (const node of backward) {
    node.input = node.input.map((name) => renamed.get(name) ?? name);
    node.output = node.output.map((name) => renamed.get(name) ?? name);
  }
  const infoOf = (name: string, of: string) => {
    const known = inference.of(of);
    return valueInfoProto(name, known?.type ?? 'float32', known?.shape?.map(named));
  };
  return withGraph(model, {
    node: nodes,
    initializer: [
      ...graph.initializer,
      ...writer.initializers.filter(({ name }) => needed.has(name)),
    ],
    output: [
      ...graph.output,
      ...(outputs.includes(loss) ? [] : [infoOf(loss, loss)]),
      ...[...results.keys()].map((name) => infoOf(gradientName(name), name)),
    ],
  });
}
