/** Layers and whole models with seeded weights, for tests and benchmarks. */
import { GraphBuilder } from './builder.ts';
import type { Model } from './model.ts';
import { kaiming, seededRandom, xavier, type Random } from './random.ts';
import { tensor, type Dimension } from './tensor.ts';

export interface DenseOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Prefix of the weights' names. */
  readonly name: string;
  /** Default `none`. */
  readonly activation?: 'relu' | 'none';
  /** Name of the layer's output; made up when absent. */
  readonly output?: string;
}

/** `x · Wᵀ + b`: x [batch, inputs] → [batch, outputs]. Kaiming weights before a ReLU, else Xavier. Returns the output's name. */
export function dense(
  graph: GraphBuilder,
  x: string,
  random: Random,
  options: DenseOptions,
): string {
  const { inputs, outputs, name, activation = 'none', output } = options;
  const count = inputs * outputs;
  const weights =
    activation === 'relu' ? kaiming(random, count, inputs) : xavier(random, count, inputs, outputs);
  const w = graph.initializer(`${name}.weight`, tensor('float32', [outputs, inputs], weights));
  const b = graph.initializer(
    `${name}.bias`,
    tensor('float32', [outputs], new Float32Array(outputs)),
  );
  const named = output === undefined ? {} : { outputs: [output] };
  if (activation === 'none') return graph.node('Gemm', [x, w, b], { transB: 1 }, named)[0];
  return graph.node('Relu', graph.node('Gemm', [x, w, b], { transB: 1 }), {}, named)[0];
}

export interface ConvOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Height and width of the kernel; odd. */
  readonly kernel: number;
  readonly name: string;
  /** Default 1. */
  readonly stride?: number;
  readonly activation?: 'relu' | 'none';
}

/** A convolution that keeps height and width (÷ stride): x [batch, inChannels, h, w] → [batch, outChannels, h, w]. Returns the output's name. */
export function conv2d(
  graph: GraphBuilder,
  x: string,
  random: Random,
  options: ConvOptions,
): string {
  const { inChannels, outChannels, kernel, name, stride = 1, activation = 'none' } = options;
  const fanIn = inChannels * kernel * kernel;
  const fanOut = outChannels * kernel * kernel;
  const count = outChannels * fanIn;
  const weights =
    activation === 'relu' ? kaiming(random, count, fanIn) : xavier(random, count, fanIn, fanOut);
  const w = graph.initializer(
    `${name}.weight`,
    tensor('float32', [outChannels, inChannels, kernel, kernel], weights),
  );
  const b = graph.initializer(
    `${name}.bias`,
    tensor('float32', [outChannels], new Float32Array(outChannels)),
  );
  const pad = (kernel - 1) / 2;
  const [y] = graph.node('Conv', [x, w, b], {
    kernel_shape: [kernel, kernel],
    pads: [pad, pad, pad, pad],
    strides: [stride, stride],
  });
  return activation === 'relu' ? graph.node('Relu', [y])[0] : y;
}

export interface MlpOptions {
  /** Widths from input to output, such as `[784, 1024, 1024, 10]`. */
  readonly sizes: readonly [number, number, ...number[]];
  readonly seed: number;
  /** Leading dimension of input and output; default `'batch'`. */
  readonly batch?: Dimension;
}

/** A perceptron with ReLU between its layers: `x` [batch, sizes[0]] → `y` [batch, sizes.at(-1)]. The same bytes for the same seed. */
export function mlp({ sizes, seed, batch = 'batch' }: MlpOptions): Model {
  const random = seededRandom(seed);
  const graph = new GraphBuilder('mlp');
  let x = graph.input('x', 'float32', [batch, sizes[0]]);
  for (let layer = 0; layer + 1 < sizes.length; layer++) {
    const last = layer + 2 === sizes.length;
    x = dense(graph, x, random, {
      name: `layer${layer}`,
      inputs: sizes[layer]!,
      outputs: sizes[layer + 1]!,
      ...(last ? { output: 'y' } : { activation: 'relu' }),
    });
  }
  graph.output(x, 'float32', [batch, sizes.at(-1)!]);
  return graph.model();
}
