/**
 * How much a model's outputs depend on each number of its weights and activations: the diagonal of
 * the Fisher information of its outputs, with Gaussian noise around them.
 *
 * For a probe r of independent signs, the gradient g of Σ r·y has E[g_i²] = Σ_k (∂y_k/∂w_i)². The
 * outputs are divided by their norm, so that Σ g_i²·Δ_i² is the squared relative error that independent
 * changes Δ of the weights cause.
 *
 * Kirkpatrick et al. (PNAS 114, 2017), for the diagonal; LeCun et al.,
 * Optimal Brain Damage (1989), for what a change of weights costs.
 */
import { gradient, gradientName } from '../../gradient/gradient.ts';
import { inferShapes } from '../../infer/inference.ts';
import { GraphBuilder } from '../../model/builder.ts';
import { withGraph, type Model } from '../../model/model.ts';
import { seededRandom } from '../../tensor/random.ts';
import { tensor, values, type NumericTensor, type TensorMap } from '../../tensor/tensor.ts';
import { withOpen, type Evaluator } from '../evaluator.ts';

export interface Fisher {
  /** Mean of g² by weights, in the order of their numbers. */
  readonly weights: ReadonlyMap<string, Float64Array>;
  /** Sum of g² over the numbers of an activation, mean over the samples. */
  readonly activations: ReadonlyMap<string, number>;
}

export interface FisherOptions {
  readonly weights: readonly string[];
  readonly activations: readonly string[];
  readonly samples: readonly TensorMap[];
  readonly evaluator: Evaluator;
  readonly signal?: AbortSignal | undefined;
}

/** Probes of each sample: with thousands of weights in a layer, the sum over them hardly moves. */
const PROBES = 2;
const SEED = 3;
const PREFIX = 'skein/probe/';
const LOSS = 'skein/probe';

/**
 * @param options.samples of one shape; batches are taken as they are.
 * @throws OnnxError `unsupported` when a node cannot be differentiated, naming it.
 */
export async function fisherOf(model: Model, options: FisherOptions): Promise<Fisher> {
  const { weights, activations, samples, evaluator, signal } = options;
  const sized = withShapes(model, samples[0]!);
  const outputs = model
    .graph!.output.map(({ name }) => name)
    .filter((name) => inferShapes(sized).get(name)?.type === 'float32');
  const inputs = new Set(sized.graph!.input.map(({ name }) => name));
  const inner = activations.filter((name) => !inputs.has(name));
  const graded = gradient(withProbes(sized, outputs), {
    loss: LOSS,
    parameters: weights,
    inputs: [...inner, ...activations.filter((name) => inputs.has(name))],
  });
  const sums = new Map(weights.map((name): [string, Float64Array] => [name, new Float64Array(0)]));
  const totals = new Map(activations.map((name) => [name, 0]));
  const random = seededRandom(SEED);
  let runs = 0;
  await withOpen(evaluator, sized, (forward) =>
    withOpen(evaluator, graded, async (open) => {
      for (const feeds of samples) {
        const found = await forward.run(feeds);
        for (let probe = 0; probe < PROBES; probe++) {
          signal?.throwIfAborted();
          const probes = outputs.map((name) => {
            const { shape } = found.get(name)!;
            const numbers = values(found.get(name) as NumericTensor) as Float32Array;
            const norm = Math.sqrt(numbers.reduce((sum, each) => sum + each * each, 0)) || 1;
            const signs = numbers.map(() => (random.next() < 0.5 ? -1 : 1) / norm);
            return [PREFIX + name, tensor('float32', shape, signs)] as const;
          });
          const gradients = await open.run(new Map([...feeds, ...probes]));
          runs += 1;
          for (const name of weights) sums.set(name, addSquares(sums.get(name)!, gradients, name));
          for (const name of activations) {
            const squares = addSquares(new Float64Array(0), gradients, name);
            totals.set(name, totals.get(name)! + squares.reduce((sum, each) => sum + each, 0));
          }
        }
      }
    }),
  );
  return {
    weights: new Map([...sums].map(([name, sum]) => [name, sum.map((each) => each / runs)])),
    activations: new Map([...totals].map(([name, sum]) => [name, sum / runs])),
  };
}

function addSquares(into: Float64Array, gradients: TensorMap, name: string): Float64Array {
  const numbers = values(gradients.get(gradientName(name)) as NumericTensor) as Float32Array;
  const sums = into.length === 0 ? new Float64Array(numbers.length) : into;
  for (let i = 0; i < numbers.length; i++) sums[i]! += numbers[i]! ** 2;
  return sums;
}

/** The model with the shapes of a sample at its inputs: some gradients need fixed sizes. */
function withShapes(model: Model, sample: TensorMap): Model {
  const graph = new GraphBuilder('sized');
  for (const { name } of model.graph!.input) {
    const given = sample.get(name);
    if (given !== undefined) graph.input(name, given.type, given.shape);
  }
  const made = new Map(graph.graph().input.map((each) => [each.name, each]));
  const input = model.graph!.input.map((each) => made.get(each.name) ?? each);
  return withGraph(model, { input });
}

/** Adds Σ probe · output over all outputs as the value `LOSS`. */
function withProbes(model: Model, outputs: readonly string[]): Model {
  const specs = inferShapes(model);
  const graph = new GraphBuilder('probes');
  const sums = outputs.map((name, at) => {
    graph.input(PREFIX + name, 'float32', specs.get(name)!.shape);
    const product = graph.node('Mul', [name, PREFIX + name], {}, { outputs: [`${LOSS}/${at}`] })[0];
    const last = at === 0 && outputs.length === 1 ? LOSS : `${LOSS}/sum/${at}`;
    return graph.node('ReduceSum', [product], { keepdims: 0 }, { outputs: [last] })[0];
  });
  if (sums.length > 1) graph.node('Sum', sums, {}, { outputs: [LOSS] });
  const { node, input } = graph.graph();
  return withGraph(model, {
    node: [...model.graph!.node, ...node],
    input: [...model.graph!.input, ...input],
  });
}
