/** Pooling over height and width: [batch, channels, h, w] → [batch, channels, h′, w′]. */
import { requireRank, type Layer } from './layer.ts';

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
