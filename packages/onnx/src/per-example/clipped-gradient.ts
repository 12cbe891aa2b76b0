/**
 * The sum over a batch of gradients that are clipped one by one: Σᵢ min(1, C / ‖gᵢ‖) · gᵢ, where gᵢ
 * is the gradient of example i by all parameters together. It is what differentially private
 * training adds noise to (Abadi et al., "Deep Learning with Differential Privacy", CCS 2016).
 *
 * Book-keeping: one backward pass gives the gradients of what the layers made. From these and from
 * what the layers read come the norms (`norms.ts`), and from the norms a factor cᵢ per example. Then
 * each layer's own rule is applied to c ⊙ g, which gives the sum of the clipped gradients. No
 * gradient of a single example is kept (Bu et al., "Differentially Private Optimization on Large
 * Model at Small Cost", ICML 2023).
 *
 * An example whose norm is not finite adds zeros. Its factor is no help, because 0 · ∞ is not a number: `Where`
 * replaces what layers read and made of it. The nodes and their sizes are the same for every example.
 */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import { GraphBuilder } from '../model/builder.ts';
import { elementTypeOf } from '../tensor/element-type.ts';
import { ForwardNode, gradient, gradientName, namesOf } from '../gradient/gradient.ts';
import { GraphWriter } from '../gradient/graph-writer.ts';
import { inferenceOf, type Inference } from '../infer/inference.ts';
import { withGraph, type Model } from '../model/model.ts';
import { readsOf } from '../model/node-view.ts';
import { type OnnxError, unsupportedModel } from '../onnx-error.ts';
import { gradientRule } from '../operators/registry.ts';
import { valueInfoProto } from '../model/protos.ts';
import { exampleAxes } from './independence.ts';
import { contributionOf, squaredNorms, type Contribution } from './norms.ts';

export interface ClippedGradientOptions {
  readonly loss: string;
  /** Gradients at the model's output, as `withLoss` gives them. */
  readonly seeds: Readonly<Record<string, string>>;
  /** Scalar by which the seeds are multiplied: what the loss was divided by, so that sums remain. */
  readonly weight: string;
  /** Inputs whose axis 0 counts the examples. */
  readonly rows: readonly string[];
  /** Largest norm of an example's gradient, C; a scalar in the graph, of the parameters' type. */
  readonly norm: string;
}

/** Output [batch]: the norm of each example's gradient before clipping. */
export const NORMS = 'example_norms';

/**
 * The model with `grad:…` of each parameter and `example_norms` as further outputs.
 *
 * @throws OnnxError `unsupported` when examples depend on each other, or a layer has no rule here,
 *   naming the node: such a model takes its examples one by one.
 */
export function clippedGradient(model: Model, options: ClippedGradientOptions): Model {
  const { loss, seeds, weight, rows, norm } = options;
  const wanted = parametersOf(model);
  const users = model.graph!.node.filter((node) => readsOf(node).some((name) => wanted.has(name)));
  const made = [...new Set(users.map((node) => node.output[0]!))];
  const scaled = withScaledSeeds(model, seeds, weight);
  const backward = gradient(scaled.model, {
    loss,
    seeds: scaled.seeds,
    parameters: [],
    inputs: made.filter((name) => reaches(model, name, new Set(Object.keys(seeds)))),
  });
  const inference = inferenceOf(backward);
  const examples = exampleAxes(backward, inference, rows, new Set(Object.keys(seeds)));
  if (typeof examples === 'string') throw refused(examples, 'may mix the examples of a batch');
  const batch = inference.of(rows[0]!)!.shape![0] as number;
  const writer = new GraphWriter(inference, namesOf(backward.graph!), wanted, 'clipping');
  const uses = usesOf(backward, inference, writer, wanted);
  const contributions = new Map<string, Contribution[]>();
  for (const { node, inputs } of uses) {
    writer.subject = node.title;
    if (examples.get(node.outputs[0]!) !== 0)
      throw refused(node.title, 'reads a parameter elsewhere than at rows of examples');
    for (const input of inputs) {
      const found = contributionOf({ node, input, batch }, writer);
      if (found === undefined)
        throw refused(node.title, 'has no rule for norms of single examples');
      const name = node.inputs[input]!;
      contributions.set(name, [...(contributions.get(name) ?? []), found]);
    }
  }
  const squared = [...contributions.values()].map((all) => squaredNorms(all, batch, writer));
  const norms = writer.emit('Sqrt', [
    squared.length === 1 ? squared[0]! : writer.emit('Sum', squared),
  ]);
  const clipping: Clipping = {
    batch,
    factors: writer.emit('Div', [norm, writer.emit('Max', [norms, norm])]),
    // Neither infinity nor what is not a number is less than infinity.
    isFinite: writer.emit('Less', [norms, writer.scalar(Infinity, norms)]),
    ofExamples: new Set(examples.keys()),
  };
  return assembled(backward, writer, norms, clippedSums(uses, clipping, wanted, writer));
}

/** The initialisers that `gradient` trains by default. */
function parametersOf({ graph }: Model): ReadonlySet<string> {
  const found = graph!.initializer.filter(
    ({ dims, dataType }) => dims.length > 0 && /^b?float/.test(elementTypeOf(dataType) ?? ''),
  );
  return new Set(found.map(({ name }) => name));
}

interface LayerUse {
  readonly node: ForwardNode;
  /** Positions of its parameters. */
  readonly inputs: readonly number[];
}

/** The layers that read parameters and lead to the loss, with the gradients of what they made. */
function usesOf(
  backward: Model,
  inference: Inference,
  writer: GraphWriter,
  wanted: ReadonlySet<string>,
): readonly LayerUse[] {
  const outputs = new Set(backward.graph!.output.map(({ name }) => name));
  return backward.graph!.node.flatMap((proto) => {
    const g = gradientName(proto.output[0]!);
    const inputs = [...proto.input.keys()].filter((i) => wanted.has(proto.input[i]!));
    if (inputs.length === 0 || !outputs.has(g)) return [];
    return [{ node: new ForwardNode(proto, [g], wanted, writer), inputs }];
  });
}

/** Factors of each example, [batch] each. */
interface Clipping {
  readonly batch: number;
  readonly factors: string;
  readonly isFinite: string;
  /** Values that belong to examples along axis 0. */
  readonly ofExamples: ReadonlySet<string>;
}

/** Applies each layer's own rule to its gradients times the factors of the examples. */
function clippedSums(
  uses: readonly LayerUse[],
  clipping: Clipping,
  wanted: ReadonlySet<string>,
  writer: GraphWriter,
): ReadonlyMap<string, string> {
  const sums = new Map<string, string>();
  for (const { node, inputs } of uses) {
    writer.subject = node.title;
    const results = gradientRule(node.opType)!(
      new FiniteNode(node, clipping, wanted, writer),
      writer,
    );
    for (const input of inputs) {
      const name = node.inputs[input]!;
      const before = sums.get(name);
      const result = results[input]!;
      sums.set(name, before === undefined ? result : writer.emit('Add', [before, result]));
    }
  }
  return sums;
}

/** A layer as a rule sees it: clipped gradients, and zeros in place of all numbers of examples without a finite norm. */
class FiniteNode extends ForwardNode {
  readonly #finite: (value: string) => string;
  readonly #layer: ForwardNode;

  constructor(
    layer: ForwardNode,
    clipping: Clipping,
    wanted: ReadonlySet<string>,
    writer: GraphWriter,
  ) {
    const { batch, factors, isFinite, ofExamples } = clipping;
    const finite = (value: string): string =>
      perExample(value, batch, writer, (rows, each) =>
        writer.emit('Where', [each(isFinite), rows, writer.scalar(0, rows)]),
      );
    const clipped = perExample(layer.outputGradients[0]!, batch, writer, (rows, each) =>
      writer.emit('Mul', [rows, each(factors)]),
    );
    const input = layer.inputs.map((name) =>
      ofExamples.has(name) && /^b?float/.test(writer.typeOf(name)) ? finite(name) : name,
    );
    super(
      Object.assign(create(NodeProtoSchema), layer.proto, { input }),
      [finite(clipped)],
      wanted,
      writer,
    );
    this.#finite = finite;
    this.#layer = layer;
  }

  /** Further outputs of the layer, such as the mean of a normalisation. */
  override demand(index: number): string {
    return this.#finite(this.#layer.demand(index));
  }
}

/** @param change of the value with the examples as axis 0; `each` gives a vector of the examples the rank of it. */
function perExample(
  value: string,
  batch: number,
  writer: GraphWriter,
  change: (rows: string, each: (ofExample: string) => string) => string,
): string {
  const shape = writer.shapeOf(value) as readonly number[];
  const each =
    (rank: number) =>
    (ofExample: string): string =>
      writer.reshape(ofExample, [batch, ...Array<number>(rank - 1).fill(1)]);
  if (shape[0] === batch) return change(value, each(shape.length));
  const apart = writer.reshape(value, [batch, shape[0]! / batch, ...shape.slice(1)]);
  return writer.reshape(change(apart, each(shape.length + 1)), shape);
}

function withScaledSeeds(
  model: Model,
  seeds: Readonly<Record<string, string>>,
  weight: string,
): { readonly model: Model; readonly seeds: Readonly<Record<string, string>> } {
  const builder = new GraphBuilder('sums');
  const scaled = Object.entries(seeds).map(([value, seed], i) => {
    const [name] = builder.node('Mul', [seed, weight], {}, { name: `clipping/seed_${i}` });
    return [value, name] as const;
  });
  const graph = model.graph!;
  const node = [...graph.node, ...builder.graph().node];
  return { model: withGraph(model, { node }), seeds: Object.fromEntries(scaled) };
}

/** Whether a value is upstream of another. */
function reaches(model: Model, name: string, ends: ReadonlySet<string>): boolean {
  const found = new Set([name]);
  for (const node of model.graph!.node) {
    if (readsOf(node).some((each) => found.has(each)))
      node.output.forEach((each) => found.add(each));
  }
  return [...ends].some((end) => found.has(end));
}

/**
 * The graph with gradients of parameters in place of the layers' gradients. Values are renamed: an
 * `Identity` would copy every gradient.
 */
function assembled(
  backward: Model,
  writer: GraphWriter,
  norms: string,
  sums: ReadonlyMap<string, string>,
): Model {
  const graph = backward.graph!;
  const results = [
    ...[...sums].map(([name, value]) => [gradientName(name), value]),
    [NORMS, norms],
  ];
  const made = new Set(writer.nodes.flatMap(({ output }) => output));
  const renamed = new Map<string, string>();
  const copies = new GraphBuilder('clipping');
  const output = results.map(([name = '', value = '']) => {
    if (made.has(value) && !renamed.has(value)) renamed.set(value, name);
    else copies.node('Identity', [renamed.get(value) ?? value], {}, { outputs: [name], name });
    return valueInfoProto(name, writer.typeOf(value), writer.shapeOf(value));
  });
  const now = (name: string): string => renamed.get(name) ?? name;
  for (const node of writer.nodes) {
    node.input = node.input.map(now);
    node.output = node.output.map(now);
  }
  return withGraph(backward, {
    node: [...graph.node, ...writer.nodes, ...copies.graph().node],
    initializer: [...graph.initializer, ...writer.initializers],
    output: [...graph.output.filter(({ name }) => !name.startsWith('grad:')), ...output],
  });
}

function refused(title: string, why: string): OnnxError {
  return unsupportedModel(`${title} ${why}.`);
}
