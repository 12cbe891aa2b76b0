/**
 * Writes a Llama decoder as GGUF (ggml's specification, version 3), in float32 or in 4-bit blocks
 * (Q4_0), so that the same weights can be run by llama.cpp.
 */
import { numberToFloat16 } from '@skein/onnx';
import type { LlamaShape, LlamaWeights } from '../build/llama-graph.ts';
import { inverseOf, levelOf, QUANTISED_BLOCK, scaleOf } from '../build/quantise.ts';
import { DEFAULT_ALIGNMENT, MAGIC } from './header.ts';

export interface GgufTokens {
  /** SentencePiece's pieces with their scores, and ggml's kind of each: 1 normal, 3 control, 6 byte. */
  readonly pieces: readonly {
    readonly text: string;
    readonly score: number;
    readonly kind: 1 | 3 | 6;
  }[];
  readonly bos: number;
  readonly eos: number;
}

/** A vocabulary of bytes and made-up words, for meaningless weights. */
export function bytePieces(vocabulary: number): GgufTokens {
  const special = ['<unk>', '<s>', '</s>'].map((text) => ({ text, score: 0, kind: 3 as const }));
  const bytes = Array.from({ length: 256 }, (_, byte) => ({
    text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    score: 0,
    kind: 6 as const,
  }));
  const words = Array.from({ length: vocabulary - 259 }, (_, i) => ({
    text: `▁w${i}`,
    score: -i,
    kind: 1 as const,
  }));
  return { pieces: [...special, ...bytes, ...words], bos: 1, eos: 2 };
}

export interface GgufOptions {
  readonly weights: 'float32' | 'int4';
  readonly chatTemplate: string;
}

const U32 = 4;
const F32 = 6;
const BOOL = 7;
const TEXT = 8;
const ARRAY = 9;
const I32 = 5;
/** ggml's numbers of types. */
const TENSOR_F32 = 0;
const TENSOR_Q4_0 = 2;

/** Rows of queries and keys in llama.cpp's order of rotary pairs: neighbours instead of halves. */
function inPairs(matrix: Float32Array, headSize: number, inputs: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < matrix.length / inputs; row++) {
    const inHead = row % headSize;
    const half = headSize / 2;
    const target = row - inHead + (inHead % half) * 2 + (inHead < half ? 0 : 1);
    result.set(matrix.subarray(row * inputs, (row + 1) * inputs), target * inputs);
  }
  return result;
}

/** Pieces of the file, in order; the tensors are made one at a time. */
export function* llamaGguf(
  shape: LlamaShape,
  weights: LlamaWeights,
  { pieces, bos, eos }: GgufTokens,
  options: GgufOptions,
): Iterable<Uint8Array> {
  const { hidden, headSize, heads, keyHeads, intermediate, vocabulary, layers } = shape;
  /** Sizes as GGUF has them: columns, then rows. */
  type Entry = readonly [name: string, sizes: readonly number[], data: () => Float32Array];
  const paired = (matrix: Float32Array): Float32Array => inPairs(matrix, headSize, hidden);
  let cached: { index: number; layer: ReturnType<LlamaWeights['layer']> } | undefined;
  const layer = (index: number) => {
    if (cached?.index !== index) cached = { index, layer: weights.layer(index) };
    return cached.layer;
  };
  const entries: Entry[] = [
    ['token_embd.weight', [hidden, vocabulary], () => weights.embedding],
    ['output_norm.weight', [hidden], () => weights.norm],
    ['output.weight', [hidden, vocabulary], () => weights.head],
    ...Array.from({ length: layers }, (_, i): Entry[] => [
      [`blk.${i}.attn_norm.weight`, [hidden], () => layer(i).attentionNorm],
      [`blk.${i}.attn_q.weight`, [hidden, heads * headSize], () => paired(layer(i).query)],
      [`blk.${i}.attn_k.weight`, [hidden, keyHeads * headSize], () => paired(layer(i).key)],
      [`blk.${i}.attn_v.weight`, [hidden, keyHeads * headSize], () => layer(i).value],
      [`blk.${i}.attn_output.weight`, [heads * headSize, hidden], () => layer(i).output],
      [`blk.${i}.ffn_norm.weight`, [hidden], () => layer(i).mlpNorm],
      [`blk.${i}.ffn_gate.weight`, [hidden, intermediate], () => layer(i).gate],
      [`blk.${i}.ffn_up.weight`, [hidden, intermediate], () => layer(i).up],
      [`blk.${i}.ffn_down.weight`, [intermediate, hidden], () => layer(i).down],
    ]).flat(),
  ];
  const isPacked = ([, sizes]: Entry): boolean => sizes.length > 1 && options.weights === 'int4';
  const bytesOf = (entry: Entry): number => {
    const count = entry[1].reduce((product, size) => product * size, 1);
    return isPacked(entry) ? (count * 18) / QUANTISED_BLOCK : count * 4;
  };
  const header = new Writer();
  header.u32(MAGIC).u32(3).u64(entries.length);
  const metadata: [string, (w: Writer) => void][] = [
    ['general.architecture', (w) => w.u32(TEXT).text('llama')],
    ['llama.context_length', (w) => w.u32(U32).u32(shape.context)],
    ['llama.embedding_length', (w) => w.u32(U32).u32(hidden)],
    ['llama.block_count', (w) => w.u32(U32).u32(layers)],
    ['llama.feed_forward_length', (w) => w.u32(U32).u32(intermediate)],
    ['llama.attention.head_count', (w) => w.u32(U32).u32(heads)],
    ['llama.attention.head_count_kv', (w) => w.u32(U32).u32(keyHeads)],
    ['llama.rope.dimension_count', (w) => w.u32(U32).u32(headSize)],
    ['llama.rope.freq_base', (w) => w.u32(F32).f32(shape.ropeBase)],
    ['llama.attention.layer_norm_rms_epsilon', (w) => w.u32(F32).f32(shape.epsilon)],
    ['llama.vocab_size', (w) => w.u32(U32).u32(vocabulary)],
    ['tokenizer.ggml.model', (w) => w.u32(TEXT).text('llama')],
    ['tokenizer.ggml.tokens', (w) => w.array(TEXT, pieces, (p) => w.text(p.text))],
    ['tokenizer.ggml.scores', (w) => w.array(F32, pieces, (p) => w.f32(p.score))],
    ['tokenizer.ggml.token_type', (w) => w.array(I32, pieces, (p) => w.u32(p.kind))],
    ['tokenizer.ggml.bos_token_id', (w) => w.u32(U32).u32(bos)],
    ['tokenizer.ggml.eos_token_id', (w) => w.u32(U32).u32(eos)],
    ['tokenizer.ggml.add_bos_token', (w) => w.u32(BOOL).u8(1)],
    ['tokenizer.chat_template', (w) => w.u32(TEXT).text(options.chatTemplate)],
  ];
  header.u64(metadata.length);
  for (const [key, write] of metadata) write(header.text(key));
  let offset = 0;
  const aligned = (bytes: number): number =>
    Math.ceil(bytes / DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT;
  for (const entry of entries) {
    const [name, sizes] = entry;
    header.text(name).u32(sizes.length);
    for (const size of sizes) header.u64(size);
    header.u32(isPacked(entry) ? TENSOR_Q4_0 : TENSOR_F32).u64(offset);
    offset += aligned(bytesOf(entry));
  }
  yield padded(header.bytes(), aligned);
  for (const entry of entries) {
    const values = entry[2]();
    const bytes = isPacked(entry)
      ? quantiseQ4(values)
      : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    yield padded(bytes, aligned);
  }
}

function padded(bytes: Uint8Array, aligned: (count: number) => number): Uint8Array {
  const whole = new Uint8Array(aligned(bytes.byteLength));
  whole.set(bytes);
  return whole;
}

/** Q4_0: a float16 scale and 32 levels, the first half of them in the low bits. */
function quantiseQ4(values: Float32Array): Uint8Array {
  const half = QUANTISED_BLOCK / 2;
  const bytes = new Uint8Array((values.length / QUANTISED_BLOCK) * (2 + half));
  const view = new DataView(bytes.buffer);
  for (let from = 0, to = 0; from < values.length; from += QUANTISED_BLOCK, to += 2 + half) {
    const scale = scaleOf(values, from);
    view.setUint16(to, numberToFloat16(scale), true);
    const inverse = inverseOf(scale);
    for (let i = 0; i < half; i++) {
      const low = levelOf(values[from + i]!, inverse);
      bytes[to + 2 + i] = low | (levelOf(values[from + half + i]!, inverse) << 4);
    }
  }
  return bytes;
}

/** Parts of a file, in order. */
export class Writer {
  #parts: Uint8Array[] = [];

  #add(size: number, set: (view: DataView) => void): this {
    const part = new Uint8Array(size);
    set(new DataView(part.buffer));
    this.#parts.push(part);
    return this;
  }
  u8(value: number): this {
    return this.#add(1, (view) => view.setUint8(0, value));
  }
  u32(value: number): this {
    return this.#add(4, (view) => view.setUint32(0, value, true));
  }
  u64(value: number): this {
    return this.#add(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }
  f32(value: number): this {
    return this.#add(4, (view) => view.setFloat32(0, value, true));
  }
  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    this.u64(bytes.length);
    this.#parts.push(bytes);
    return this;
  }
  array<T>(type: number, items: readonly T[], write: (item: T) => void): this {
    this.u32(ARRAY).u32(type).u64(items.length);
    for (const item of items) write(item);
    return this;
  }
  bytes(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}
