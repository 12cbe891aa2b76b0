/**
 * Writes a decoder of the Llama family (Touvron et al., 2023) as ONNX: RMS norms, rotary positions,
 * grouped-query attention over a KV cache, a gated MLP. It uses the names and operators of ONNX
 * Runtime GenAI's exports, so that the loader needs one path for both.
 *
 * Attention is com.microsoft.GroupQueryAttention, whose past and present may be the same memory: the
 * cache is never copied. Its rotary kernel needs head sizes that are multiples of 16, so smaller
 * heads are padded with zeros, which change no product.
 */
import { float, GraphBuilder, tensor, writeModel, type Attribute } from '@skein/onnx';
import { numberToFloat16 } from '@skein/onnx';
import { quantise4 } from './quantise.ts';

export interface LlamaShape {
  readonly vocabulary: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; divides `heads`. */
  readonly keyHeads: number;
  readonly headSize: number;
  readonly intermediate: number;
  /** Longest sequence in tokens. */
  readonly context: number;
  readonly ropeBase: number;
  readonly epsilon: number;
}

/** Matrices are [outputs, inputs], row-major. Rotary pairs are (i, i + headSize / 2), as in Hugging Face's checkpoints. */
export interface LlamaLayer {
  readonly attentionNorm: Float32Array; // [hidden]
  readonly query: Float32Array; // [heads * headSize, hidden]
  readonly key: Float32Array; // [keyHeads * headSize, hidden]
  readonly value: Float32Array; // [keyHeads * headSize, hidden]
  readonly output: Float32Array; // [hidden, heads * headSize]
  readonly mlpNorm: Float32Array; // [hidden]
  readonly gate: Float32Array; // [intermediate, hidden]
  readonly up: Float32Array; // [intermediate, hidden]
  readonly down: Float32Array; // [hidden, intermediate]
}

export interface LlamaWeights {
  readonly embedding: Float32Array; // [vocabulary, hidden]
  /** Called once per layer, so that the weights of one layer are in memory at a time. */
  readonly layer: (index: number) => LlamaLayer;
  readonly norm: Float32Array; // [hidden]
  /** [vocabulary, hidden]; the embedding when it is tied. */
  readonly head: Float32Array;
}

export interface LlamaOptions {
  /** `float32`, or 4-bit integers in blocks of 32 by standard DequantizeLinear. */
  readonly weights: 'float32' | 'int4';
}

const MICROSOFT = { domain: 'com.microsoft' };
const ROTARY_MULTIPLE = 16;

/** @returns the bytes of the model. */
export function llamaModel(
  shape: LlamaShape,
  weights: LlamaWeights,
  options: LlamaOptions,
): Uint8Array {
  const { layers, hidden, heads, keyHeads, headSize, vocabulary, epsilon } = shape;
  const padded = Math.ceil(headSize / ROTARY_MULTIPLE) * ROTARY_MULTIPLE;
  const graph = new GraphBuilder('llama');
  const linear = linearOf(graph, options);
  const vector = (name: string, values: Float32Array): string =>
    graph.initializer(name, tensor('float32', [values.length], values));

  const ids = graph.input('input_ids', 'int64', ['batch_size', 'sequence_length']);
  const mask = graph.input('attention_mask', 'int64', ['batch_size', 'total_sequence_length']);
  const { lastKeys, total } = lengths(graph, mask);
  const [cos, sin] = rotaryTables(graph, shape, padded);
  let x = embed(graph, weights.embedding, vocabulary, hidden, ids, options);
  let branch: string | undefined;

  /** Adds the last branch to the stream, and normalises: one operator. */
  function norm(name: string, scale: Float32Array): string {
    const gamma = vector(`${name}.weight`, scale);
    const attributes = { epsilon: float(epsilon) };
    if (branch === undefined) {
      const extra = { axis: -1, stash_type: 1 };
      return graph.node('SimplifiedLayerNormalization', [x, gamma], { ...attributes, ...extra })[0];
    }
    const outputs = [`${name}.out`, '', '', `${name}.sum`];
    graph.node('SkipSimplifiedLayerNormalization', [x, branch, gamma], attributes, {
      ...MICROSOFT,
      outputs,
    });
    x = outputs[3]!;
    return outputs[0]!;
  }

  for (let index = 0; index < layers; index++) {
    const at = `layers.${index}`;
    const layer = weights.layer(index);
    const packed = concat([
      padRows(layer.query, heads, headSize, padded, hidden),
      padRows(layer.key, keyHeads, headSize, padded, hidden),
      padRows(layer.value, keyHeads, headSize, padded, hidden),
    ]);
    const attended = norm(`${at}.attention_norm`, layer.attentionNorm);
    const qkv = linear(`${at}.qkv`, packed, (heads + 2 * keyHeads) * padded, hidden, attended);
    const cache = ['batch_size', keyHeads] as const;
    const past = (['key', 'value'] as const).map((part) =>
      graph.input(`past_key_values.${index}.${part}`, 'float32', [
        ...cache,
        'past_sequence_length',
        padded,
      ]),
    );
    const attributes: Record<string, Attribute> = {
      num_heads: heads,
      kv_num_heads: keyHeads,
      do_rotary: 1,
      rotary_interleaved: 0,
      scale: float(1 / Math.sqrt(headSize)),
    };
    const present = (['key', 'value'] as const).map((part) => `present.${index}.${part}`);
    const [mixed] = graph.node(
      'GroupQueryAttention',
      [qkv, '', '', ...past, lastKeys, total, cos, sin],
      attributes,
      { ...MICROSOFT, outputs: [`${at}.attention`, ...present] },
    );
    for (const name of present) {
      graph.output(name, 'float32', [...cache, 'total_sequence_length', padded]);
    }
    const columns = padColumns(layer.output, heads, headSize, padded, hidden);
    branch = linear(`${at}.output`, columns, hidden, heads * padded, mixed);
    const wide = norm(`${at}.mlp_norm`, layer.mlpNorm);
    const size = shape.intermediate;
    const gate = linear(`${at}.gate`, layer.gate, size, hidden, wide);
    const up = linear(`${at}.up`, layer.up, size, hidden, wide);
    // With alpha 1 this is SiLU.
    const [silu] = graph.node('QuickGelu', [gate], { alpha: float(1) }, MICROSOFT);
    const [gated] = graph.node('Mul', [silu, up]);
    branch = linear(`${at}.down`, layer.down, hidden, size, gated);
  }
  const last = norm('norm', weights.norm);
  const logits = linear('lm_head', weights.head, vocabulary, hidden, last);
  graph.node('Identity', [logits], {}, { outputs: ['logits'] });
  graph.output('logits', 'float32', ['batch_size', 'sequence_length', vocabulary]);
  const domains = { 'com.microsoft': 1 };
  return writeModel(graph.model({ opset: 21, irVersion: 10, domains }));
}

/** Positions of the last key of each row, and the longest length, from a mask of 0 and 1. */
function lengths(graph: GraphBuilder, mask: string): { lastKeys: string; total: string } {
  const constant = (name: string, value: bigint, shape: readonly number[]): string =>
    graph.initializer(name, tensor('int64', shape, new BigInt64Array([value])));
  const int32 = { to: 6 };
  const [count] = graph.node('ReduceSum', [mask, constant('axis_1', 1n, [1])], { keepdims: 0 });
  const [last] = graph.node('Sub', [count, constant('one', 1n, [1])]);
  const [lastKeys] = graph.node('Cast', [last], int32);
  const [shape] = graph.node('Shape', [mask], { start: 1, end: 2 });
  const [total] = graph.node('Cast', [shape], int32);
  return { lastKeys, total };
}

/** cos and sin of position × frequency, [context, padded / 2]. The angles of padding are 0. */
function rotaryTables(graph: GraphBuilder, shape: LlamaShape, padded: number): [string, string] {
  const { context, headSize, ropeBase } = shape;
  const half = padded / 2;
  const cos = new Float32Array(context * half).fill(1);
  const sin = new Float32Array(context * half);
  for (let position = 0; position < context; position++) {
    for (let i = 0; i < headSize / 2; i++) {
      const angle = position * ropeBase ** ((-2 * i) / headSize);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  const table = (name: string, values: Float32Array): string =>
    graph.initializer(name, tensor('float32', [context, half], values));
  return [table('cos_cache', cos), table('sin_cache', sin)];
}

function embed(
  graph: GraphBuilder,
  embedding: Float32Array,
  vocabulary: number,
  hidden: number,
  ids: string,
  { weights }: LlamaOptions,
): string {
  const dims = [vocabulary, hidden];
  if (weights === 'float32') {
    const table = graph.initializer('embedding', tensor('float32', dims, embedding));
    return graph.node('Gather', [table, ids])[0];
  }
  // A third of the time of `Uint16Array.from`.
  const half = new Uint16Array(embedding.length);
  for (let i = 0; i < half.length; i++) half[i] = numberToFloat16(embedding[i]!);
  const table = graph.initializer('embedding', tensor('float16', dims, half));
  const [row] = graph.node('Gather', [table, ids]);
  return graph.node('Cast', [row], { to: 1 })[0];
}

/** A product with a matrix of [outputs, inputs]. */
function linearOf(graph: GraphBuilder, { weights }: LlamaOptions) {
  return (
    name: string,
    matrix: Float32Array,
    outputs: number,
    inputs: number,
    x: string,
  ): string => {
    if (weights === 'float32') {
      const transposed = new Float32Array(matrix.length);
      for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < inputs; i++) transposed[i * outputs + o] = matrix[o * inputs + i]!;
      }
      const w = graph.initializer(
        `${name}.weight`,
        tensor('float32', [inputs, outputs], transposed),
      );
      return graph.node('MatMul', [x, w], {}, { name })[0];
    }
    const { packed, scales, block } = quantise4(matrix, outputs, inputs);
    const w = graph.packedInitializer(`${name}.weight`, 'int4', [inputs, outputs], packed);
    const s = graph.initializer(
      `${name}.scales`,
      tensor('float32', [inputs / block, outputs], scales),
    );
    const [restored] = graph.node('DequantizeLinear', [w, s], { axis: 0, block_size: block });
    return graph.node('MatMul', [x, restored], {}, { name })[0];
  };
}

function concat(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The two halves of each head, each padded with zero rows, so that rotary pairs stay together. */
function padRows(
  matrix: Float32Array,
  heads: number,
  size: number,
  padded: number,
  inputs: number,
): Float32Array {
  const result = new Float32Array(heads * padded * inputs);
  const half = (size / 2) * inputs;
  for (let part = 0; part < heads * 2; part++) {
    result.set(matrix.subarray(part * half, (part + 1) * half), (part * padded * inputs) / 2);
  }
  return result;
}

/** Does the same as `padRows` for the inputs of the output projection. */
function padColumns(
  matrix: Float32Array,
  heads: number,
  size: number,
  padded: number,
  outputs: number,
): Float32Array {
  const result = new Float32Array(outputs * heads * padded);
  const half = size / 2;
  for (let part = 0; part < outputs * heads * 2; part++) {
    result.set(matrix.subarray(part * half, (part + 1) * half), (part * padded) / 2);
  }
  return result;
}
