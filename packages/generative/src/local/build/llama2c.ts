/**
 * Reads the checkpoints of llama2.c (`run.c`, version 0): seven int32 of shape, then float32
 * matrices in a fixed order. Its rotary pairs are neighbours; `layer` reorders the rows of queries
 * and keys to Hugging Face's order of halves, which changes no product of a query and a key.
 */
import { SkeinError } from '@skein/api';
import type { LlamaLayer, LlamaShape, LlamaWeights } from './llama-graph.ts';

export interface Llama2c {
  readonly shape: LlamaShape;
  /** In llama2.c's own order of rotary pairs. */
  readonly raw: RawWeights;
  readonly weights: LlamaWeights;
}

/** Each part holds all layers, one after another. */
export type RawWeights = LlamaLayer & Omit<LlamaWeights, 'layer'>;

const HEADER_BYTES = 28;

/** @throws SkeinError LANGUAGE_MODEL_INVALID when the file is not such a checkpoint, or is cut off. */
export function readLlama2c(file: Uint8Array): Llama2c {
  if (file.byteLength < HEADER_BYTES) throw notOne('it is shorter than its header');
  const bytes = new Uint8Array(file); // aligned
  const header = Array.from(new Int32Array(bytes.buffer, 0, 7));
  const [hidden = 0, intermediate = 0, layers = 0, heads = 0, keyHeads = 0, signed = 0] = header;
  const context = header[6]!;
  const vocabulary = Math.abs(signed);
  if ([hidden, intermediate, layers, heads, keyHeads, vocabulary, context].some((n) => !(n > 0))) {
    throw notOne('a size in its header is not positive');
  }
  if (hidden % heads !== 0 || heads % keyHeads !== 0) throw notOne('its heads do not divide');
  const headSize = hidden / heads;
  let at = HEADER_BYTES;
  function take(count: number): Float32Array {
    if (at + count * 4 > bytes.byteLength) {
      throw notOne(`it is cut off: ${bytes.byteLength} bytes, and more follow`);
    }
    const part = new Float32Array(bytes.buffer, at, count);
    at += count * 4;
    return part;
  }
  const square = layers * hidden * hidden;
  const narrow = layers * hidden * keyHeads * headSize;
  const wide = layers * hidden * intermediate;
  const embedding = take(vocabulary * hidden);
  const attentionNorm = take(layers * hidden);
  const [query, key, value, output] = [take(square), take(narrow), take(narrow), take(square)];
  const mlpNorm = take(layers * hidden);
  const [gate, down, up] = [take(wide), take(wide), take(wide)];
  const norm = take(hidden);
  take(context * headSize); // rotary tables of old versions
  const head = signed > 0 ? embedding : take(vocabulary * hidden);
  const raw = {
    embedding,
    attentionNorm,
    query,
    key,
    value,
    output,
    mlpNorm,
    gate,
    down,
    up,
    norm,
    head,
  };
  const shape: LlamaShape = {
    vocabulary,
    hidden,
    layers,
    heads,
    keyHeads,
    headSize,
    intermediate,
    context,
    ropeBase: 10_000,
    epsilon: 1e-5,
  };
  return { shape, raw, weights: weightsOf(shape, raw) };
}

function weightsOf(shape: LlamaShape, raw: RawWeights): LlamaWeights {
  const { layers, headSize, hidden } = shape;
  const part = (whole: Float32Array, index: number): Float32Array =>
    whole.subarray((index * whole.length) / layers, ((index + 1) * whole.length) / layers);
  return {
    embedding: raw.embedding,
    norm: raw.norm,
    head: raw.head,
    layer: (index) => ({
      attentionNorm: part(raw.attentionNorm, index),
      query: inHalves(part(raw.query, index), headSize, hidden),
      key: inHalves(part(raw.key, index), headSize, hidden),
      value: part(raw.value, index),
      output: part(raw.output, index),
      mlpNorm: part(raw.mlpNorm, index),
      gate: part(raw.gate, index),
      up: part(raw.up, index),
      down: part(raw.down, index),
    }),
  };
}

/** Rows 2i and 2i + 1 of each head become rows i and i + headSize / 2. */
function inHalves(matrix: Float32Array, headSize: number, inputs: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < matrix.length / inputs; row++) {
    const inHead = row % headSize;
    const target = row - inHead + (inHead >> 1) + (inHead % 2) * (headSize / 2);
    result.set(matrix.subarray(row * inputs, (row + 1) * inputs), target * inputs);
  }
  return result;
}

function notOne(reason: string): SkeinError {
  return new SkeinError(
    'LANGUAGE_MODEL_INVALID',
    `The file is not a checkpoint of llama2.c: ${reason}.`,
  );
}
