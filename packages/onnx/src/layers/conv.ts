/** Convolution and pooling over height and width: [batch, channels, h, w] → [batch, filters, h′, w′]. */
import { kaiming, xavier } from '../tensor/random.ts';
import { activate, type Activation } from './activation.ts';
import { isRectifier } from './dense.ts';
import { requireRank, weight, type Layer } from './layer.ts';

export interface ConvOptions {
  readonly filters: number;
  /** Height and width of the kernel. */
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number;
  /** Pixels of zero on each side; `same`: h′ = ⌈h ÷ stride⌉, with an odd kernel. Default `same`. */
  readonly padding?: number | 'same';
  /** Default 1. */
  readonly dilation?: number;
  /** Default 1; `channels` groups make it depthwise. */
  readonly groups?: number;
  /** Default `none`. */
  readonly activation?: Activation;
  /** Default true; needless before a batchNorm. */
  readonly bias?: boolean;
}

export function conv(options: ConvOptions): Layer {
  const { filters, kernel, stride = 1, dilation = 1, groups = 1 } = options;
  const { activation = 'none', bias = true, padding = 'same' } = options;
  return (scope, x) => {
    const { graph, random } = scope;
    requireRank('conv', x, 3, '[batch, channels, height, width]');
    const [channels = 0, height = 0, width = 0] = x.shape;
    if (channels % groups !== 0 || filters % groups !== 0) {
      throw new Error(
        `conv cannot split ${channels} channels and ${filters} filters into ${groups} groups.`,
      );
    }
    const reach = dilation * (kernel - 1);
    const pad = padding === 'same' ? reach / 2 : padding;
    if (!Number.isInteger(pad))
      throw new Error(`conv keeps its size only with an odd kernel, not ${kernel}.`);
    const size = (length: number): number =>
      Math.floor((length + 2 * pad - reach - 1) / stride) + 1;
    const area = kernel * kernel;
    const fanIn = (channels / groups) * area;
    const count = filters * fanIn;
    const values = isRectifier(activation)
      ? kaiming(random, count, fanIn)
      : xavier(random, count, fanIn, (filters / groups) * area);
    const w = weight(scope, 'weight', [filters, channels / groups, kernel, kernel], values);
    const b = bias ? [weight(scope, 'bias', [filters], new Float32Array(filters))] : [];
    const [y] = graph.node('Conv', [x.name, w, ...b], {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
      dilations: [dilation, dilation],
      group: groups,
    });
    return { name: activate(graph, y, activation), shape: [filters, size(height), size(width)] };
  };
}

export interface PoolOptions {
  /** Height and width of the window. Default 2. */
  readonly size?: number;
  /** Default: the size, so that windows do not overlap. */
  readonly stride?: number;
}

export function maxPool(options: PoolOptions = {}): Layer {
  return pool('MaxPool', options);
}

export function averagePool(options: PoolOptions = {}): Layer {
  return pool('AveragePool', options);
}

/** The mean of each channel: [batch, channels, h, w] → [batch, channels]. */
export function globalAveragePool(): Layer {
  return ({ graph }, x) => {
    requireRank('globalAveragePool', x, 3, '[batch, channels, height, width]');
    const [pooled] = graph.node('GlobalAveragePool', [x.name]);
    return { name: graph.node('Flatten', [pooled])[0], shape: x.shape.slice(0, 1) };
  };
}

function pool(
  operator: 'MaxPool' | 'AveragePool',
  { size = 2, stride = size }: PoolOptions,
): Layer {
  return ({ graph }, x) => {
    requireRank(operator, x, 3, '[batch, channels, height, width]');
    const [channels = 0, height = 0, width = 0] = x.shape;
    const [y] = graph.node(operator, [x.name], {
      kernel_shape: [size, size],
      strides: [stride, stride],
    });
    const length = (whole: number): number => Math.floor((whole - size) / stride) + 1;
    return { name: y, shape: [channels, length(height), length(width)] };
  };
}
