/** Parts of transformers: [batch, length, width] keeps its shape. */
import { xavier, type Random } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { dense } from './dense.ts';
import { requireRank, weight, type Layer } from './layer.ts';
import { layerNorm } from './norm.ts';
import { flow, residual } from './sequential.ts';
import { dropout } from './shape.ts';

/** Indices int64 [batch, length] → [batch, length, width]. */
export function embedding({ vocabulary, width }: { vocabulary: number; width: number }): Layer {
  return (scope, x) => {
    requireRank('embedding', x, 1, 'indices [batch, length]');
    const table = weight(
      scope,
      'weight',
      [vocabulary, width],
      spread(scope.random, vocabulary * width),
    );
    const [y] = scope.graph.node('Gather', [table, x.name], { axis: 0 });
    return { name: y, shape: [...x.shape, width] };
  };
}

/** Adds a learnt vector for every place: [batch, length, width] keeps its shape. */
export function positions(): Layer {
  return (scope, x) => {
    requireRank('positions', x, 2, '[batch, length, width]');
    const [length = 0, width = 0] = x.shape;
    const table = weight(scope, 'weight', [length, width], spread(scope.random, length * width));
    return { name: scope.graph.node('Add', [x.name, table])[0], shape: x.shape };
  };
}

/** Uniform with a standard deviation of 0.02, as GPT-2 begins. */
function spread(random: Random, count: number): Float32Array {
  const bound = 0.02 * Math.sqrt(3);
  return Float32Array.from({ length: count }, () => (random.next() * 2 - 1) * bound);
}

export interface AttentionOptions {
  readonly heads: number;
  /** Whether a position sees only itself and earlier positions. Default false. */
  readonly causal?: boolean;
}

/** Far below every score, and finite, so that its gradient is too. */
const UNSEEN = -1e9;

/**
 * Multi-head self-attention: softmax(Q·Kᵀ / √d) · V for every head, then a projection
 * (Vaswani et al., 2017, §3.2).
 *
 *     x ─ W ─ [B, L, 3, heads, d] ─ transpose ─ [3, B, heads, L, d] ─ q, k, v
 */
export function attention({ heads, causal = false }: AttentionOptions): Layer {
  return (scope, x) => {
    requireRank('attention', x, 2, '[batch, length, width]');
    const { graph, random, path } = scope;
    const [length = 0, width = 0] = x.shape;
    if (width % heads !== 0) {
      throw new Error(`attention cannot split a width of ${width} into ${heads} heads.`);
    }
    const depth = width / heads;
    const project = (input: string, name: string, units: number): string => {
      const w = weight(
        scope,
        `${name}.weight`,
        [width, units],
        xavier(random, width * units, width, units),
      );
      const b = weight(scope, `${name}.bias`, [units], new Float32Array(units));
      return graph.node('Add', [graph.node('MatMul', [input, w])[0], b])[0];
    };
    const shaped = (input: string, name: string, shape: readonly number[]): string => {
      const sizes = BigInt64Array.from(shape, BigInt);
      const wanted = graph.initializer(`${path}.${name}`, tensor('int64', [sizes.length], sizes));
      return graph.node('Reshape', [input, wanted])[0];
    };
    const all = shaped(project(x.name, 'qkv', 3 * width), 'split', [0, length, 3, heads, depth]);
    const [turned] = graph.node('Transpose', [all], { perm: [2, 0, 3, 1, 4] });
    const part = (index: number): string => {
      const at = tensor('int64', [], BigInt64Array.of(BigInt(index)));
      const chosen = graph.initializer(`${path}.part${index}`, at);
      return graph.node('Gather', [turned, chosen], { axis: 0 })[0];
    };
    const [q, k, v] = [part(0), part(1), part(2)];
    const root = tensor('float32', [], Float32Array.of(1 / Math.sqrt(depth)));
    const [scaled] = graph.node('Mul', [q, graph.initializer(`${path}.scale`, root)]);
    const [across] = graph.node('Transpose', [k], { perm: [0, 1, 3, 2] });
    let [scores] = graph.node('MatMul', [scaled, across]);
    if (causal) {
      // A mask of booleans, because floats with axes would be taken for weights.
      const seen = tensor('bool', [length, length], causalMask(length));
      const mask = graph.initializer(`${path}.mask`, seen);
      const unseen = tensor('float32', [], Float32Array.of(UNSEEN));
      [scores] = graph.node('Where', [mask, scores, graph.initializer(`${path}.unseen`, unseen)]);
    }
    const [shares] = graph.node('Softmax', [scores], { axis: -1 });
    const [mixed] = graph.node('MatMul', [shares, v]);
    const [back] = graph.node('Transpose', [mixed], { perm: [0, 2, 1, 3] });
    const joined = shaped(back, 'join', [0, length, width]);
    return { name: project(joined, 'out', width), shape: x.shape };
  };
}

function causalMask(length: number): Uint8Array {
  return Uint8Array.from({ length: length * length }, (_, i) =>
    i % length <= Math.floor(i / length) ? 1 : 0,
  );
}

export interface TransformerBlockOptions extends AttentionOptions {
  /** Width of the perceptron's middle. Default: four times the width. */
  readonly hidden?: number;
  /** Probability of dropping an element at the end of each path. Default 0. */
  readonly drop?: number;
}

/**
 * One block of a transformer that normalises first (Xiong et al., 2020): attention and a perceptron,
 * each on a path of its own that is added to x.
 */
export function transformerBlock({ hidden, drop = 0, ...heads }: TransformerBlockOptions): Layer {
  return (scope, x) => {
    const width = x.shape.at(-1) ?? 0;
    const end = drop > 0 ? [dropout(drop)] : [];
    return flow(scope, x, [
      residual(layerNorm(), attention(heads), ...end),
      residual(
        layerNorm(),
        dense({ units: hidden ?? 4 * width, activation: 'gelu' }),
        dense({ units: width }),
        ...end,
      ),
    ]);
  };
}
