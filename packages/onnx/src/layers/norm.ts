/** Normalisations with a learnt scale and shift; x keeps its shape. */
import { float } from '../model/attribute.ts';
import { weight, type Layer, type LayerScope } from './layer.ts';

/**
 * Per channel over the batch: [batch, channels, …]. Training keeps running statistics for inference
 * (Ioffe and Szegedy, 2015).
 */
export function batchNorm({ epsilon = 1e-5, momentum = 0.9 } = {}): Layer {
  return (scope, x) => {
    const channels = x.shape[0];
    if (channels === undefined) throw new Error('batchNorm takes [batch, channels, …].');
    const inputs = [
      x.name,
      ...affine(scope, channels),
      weight(scope, 'running_mean', [channels], new Float32Array(channels)),
      weight(scope, 'running_var', [channels], new Float32Array(channels).fill(1)),
    ];
    const [y] = scope.graph.node('BatchNormalization', inputs, {
      epsilon: float(epsilon),
      momentum: float(momentum),
    });
    return { name: y, shape: x.shape };
  };
}

/** Per example over the last axis: [batch, …, width] (Ba, Kiros and Hinton, 2016). */
export function layerNorm({ epsilon = 1e-5 } = {}): Layer {
  return (scope, x) => {
    const width = x.shape.at(-1);
    if (width === undefined) throw new Error('layerNorm takes [batch, …, width].');
    const inputs = [x.name, ...affine(scope, width)];
    const [y] = scope.graph.node('LayerNormalization', inputs, {
      axis: -1,
      epsilon: float(epsilon),
    });
    return { name: y, shape: x.shape };
  };
}

function affine(scope: LayerScope, size: number): [string, string] {
  return [
    weight(scope, 'weight', [size], new Float32Array(size).fill(1)),
    weight(scope, 'bias', [size], new Float32Array(size)),
  ];
}
