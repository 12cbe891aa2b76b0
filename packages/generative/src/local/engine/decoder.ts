/**
 * Runs the graph of a decoder: one token of many rows, or a piece of the prompt of one row.
 *
 * GroupQueryAttention takes more than one token with a past only at batch 1, so prompts run one row
 * at a time, in pieces. Both kinds of caches keep their tokens in the slab; they differ in how a run
 * reads and writes it.
 */
import '@skein/calls/no-telemetry';
import { float16ToNumber } from '@skein/onnx';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { KEEP, NO_COPIES, type DecoderGraph } from '../model/graph.ts';
import { newArray, Slab, type CacheArray } from './slab.ts';

export interface DecoderOptions {
  readonly graph: DecoderGraph;
  /** Where files with weights are. */
  readonly folder: string;
  readonly threads: number;
  readonly rows: number;
  /** Tokens per row. */
  readonly context: number;
}

/** Tokens of one row that follow its first `past` ones. */
interface Piece {
  readonly row: number;
  readonly past: number;
  readonly tokens: readonly number[];
}

/** The arrays that methods return are valid until the next call. */
export interface Decoder {
  readonly slab: Slab;
  readonly vocabulary: number;
  /** The logits of the last `keep` tokens of a piece, [keep, vocabulary]. */
  prompt(piece: Piece, keep: number): Promise<Float32Array>;
  /** The logits of one token of each of rows 0 … n - 1, [n, vocabulary]; row i has `pasts[i]` tokens. */
  step(pasts: readonly number[], tokens: readonly number[]): Promise<Float32Array>;
  close(): Promise<void>;
}

type OrtTensor = InstanceType<typeof Tensor>;
type CacheType = DecoderGraph['cacheType'];
type Feeds = Record<string, OrtTensor>;
type Fetches = Record<string, OrtTensor | null>;

/** The binding's error for the sequence that ends its conversion of outputs; see `graph.ts`. */
const NOT_CONVERTED = 'Non tensor type is temporarily not supported';
const FATAL = 4;
const RUN_OPTIONS: InferenceSession.RunOptions = { logSeverityLevel: FATAL };

export async function openDecoder(options: DecoderOptions): Promise<Decoder> {
  const { graph, folder, threads, rows, context } = options;
  env.logLevel = 'fatal';
  const session = await InferenceSession.create(graph.bytes, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: FATAL,
    extra: {
      session: {
        model_external_initializers_file_folder_path: folder,
        // 4-bit products in 8-bit integers, as llama.cpp does: twice the speed of float32.
        qdq_matmulnbits_accuracy_level: '4',
        intra_op: { spin_duration_us: '20' },
      },
    },
  });
  const { layers, keyHeads, headSize, cacheType } = graph;
  const slab = new Slab({ type: cacheType, layers, rows, heads: keyHeads, context, headSize });
  const names = Array.from(
    { length: layers * 2 },
    (_, part) => `${part >> 1}.${part % 2 === 0 ? 'key' : 'value'}`,
  );
  const run = async (feeds: Feeds, fetches: Fetches): Promise<void> => {
    try {
      await session.run(feeds, fetches, RUN_OPTIONS);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes(NOT_CONVERTED)) throw error;
    }
  };
  const vocabulary = await probe(session, graph);
  const logits = logitsMemory(graph.logitsType, vocabulary);
  const cache =
    graph.cache === 'shared' ? sharedCache(slab, names) : appendedCache(slab, names, graph);
  const keeps = graph.inputs.has(KEEP) || graph.inputs.has('num_logits_to_keep');

  async function forward(pieces: readonly Piece[], keep: number): Promise<Float32Array> {
    const count = pieces[0]!.tokens.length;
    const kept = keeps ? keep : count;
    const feeds: Feeds = inputsOf(graph.inputs, pieces, cache.paddedPast, kept);
    const fetches: Fetches = { [NO_COPIES]: null, logits: logits.of(pieces.length, kept) };
    const done = cache.bind(pieces, feeds, fetches);
    await run(feeds, fetches);
    done();
    const values = logits.values(pieces.length * kept);
    return kept === keep ? values : values.subarray((count - keep) * vocabulary);
  }
  return {
    slab,
    vocabulary,
    prompt: (piece, keep) => forward([piece], keep),
    step: (pasts, tokens) =>
      forward(
        pasts.map((past, row) => ({ row, past, tokens: [tokens[row]!] })),
        1,
      ),
    close: () => session.release(),
  };
}

/** Runs one token without a past, for the size of the vocabulary. */
async function probe(session: InferenceSession, graph: DecoderGraph): Promise<number> {
  const feeds = inputsOf(graph.inputs, [{ row: 0, past: 0, tokens: [0] }], false, 1);
  const dims = [1, graph.keyHeads, 0, graph.headSize];
  for (const name of session.inputNames) {
    if (name.startsWith('past_'))
      feeds[name] = tensorOf(graph.cacheType, newArray(graph.cacheType, 0), dims);
  }
  const { logits } = await session.run(feeds, ['logits'], RUN_OPTIONS);
  return logits!.dims.at(-1)!;
}

/** The inputs without the cache, for rows whose pieces are equally long. */
function inputsOf(
  inputs: ReadonlySet<string>,
  pieces: readonly Piece[],
  padded: boolean,
  keep: number,
): Feeds {
  const batch = pieces.length;
  const count = pieces[0]!.tokens.length;
  const longest = pieces.reduce((most, { past }) => Math.max(most, past), 0);
  const ids = new BigInt64Array(batch * count);
  const total = longest + count;
  const mask = new BigInt64Array(batch * total);
  const positions = new BigInt64Array(batch * count);
  for (const [row, { past, tokens }] of pieces.entries()) {
    for (let i = 0; i < count; i++) {
      ids[row * count + i] = BigInt(tokens[i]!);
      positions[row * count + i] = BigInt(past + i);
    }
    // The new tokens come after the longest past where pasts are padded, else after their own.
    mask.fill(1n, row * total, row * total + past + (padded ? 0 : count));
    if (padded) mask.fill(1n, row * total + longest, (row + 1) * total);
  }
  const all: Record<string, () => OrtTensor> = {
    input_ids: () => new Tensor('int64', ids, [batch, count]),
    attention_mask: () => new Tensor('int64', mask, [batch, total]),
    position_ids: () => new Tensor('int64', positions, [batch, count]),
    use_cache_branch: () => new Tensor('bool', Uint8Array.of(1), [1]),
    num_logits_to_keep: () => new Tensor('int64', BigInt64Array.of(BigInt(keep)), []),
    [KEEP]: () => new Tensor('int64', BigInt64Array.of(BigInt(keep)), [1]),
  };
  return Object.fromEntries([...inputs].map((name) => [name, all[name]!()]));
}

/**
 * A tensor over the memory of an array. The constructor makes a `Float16Array` of half floats, which
 * the native binding of 1.30 reads as empty ("not enough space: expected 4, got 0"); it accepts
 * their bits in a `Uint16Array`.
 */
function tensorOf(type: CacheType, data: CacheArray, dims: readonly number[]): OrtTensor {
  const made = new Tensor(type, data, dims);
  return type === 'float16' ? Object.defineProperty(made, 'data', { value: data }) : made;
}

/** How runs read and write the slab. */
interface CacheBinding {
  readonly paddedPast: boolean;
  /** Adds the cache to a run; the result is called after it. */
  bind(pieces: readonly Piece[], feeds: Feeds, fetches: Fetches): () => void;
}

/** Past and present are the same memory: rows of the slab. */
function sharedCache(slab: Slab, names: readonly string[]): CacheBinding {
  const { heads, context, headSize, type } = slab.shape;
  const views = new Map<number, readonly OrtTensor[]>();
  function viewsOf(first: number, count: number): readonly OrtTensor[] {
    const key = first * 65_536 + count;
    let found = views.get(key);
    if (found === undefined) {
      found = names.map((_, part) =>
        tensorOf(type, slab.view(part, first, count), [count, heads, context, headSize]),
      );
      views.set(key, found);
    }
    return found;
  }
  return {
    paddedPast: false,
    bind(pieces, feeds, fetches) {
      const tensors = viewsOf(pieces[0]!.row, pieces.length);
      for (let part = 0; part < names.length; part++) {
        feeds[`past_key_values.${names[part]}`] = tensors[part]!;
        fetches[`present.${names[part]}`] = tensors[part]!;
      }
      return () => undefined;
    },
  };
}

/** The past is gathered from the slab, padded to the longest; the new tokens are copied back. */
function appendedCache(slab: Slab, names: readonly string[], graph: DecoderGraph): CacheBinding {
  const { keyHeads, headSize, cacheType } = graph;
  return {
    paddedPast: true,
    bind(pieces, feeds, fetches) {
      const count = pieces[0]!.tokens.length;
      const longest = pieces.reduce((most, { past }) => Math.max(most, past), 0);
      const total = longest + count;
      const sized = (length: number): CacheArray =>
        newArray(cacheType, pieces.length * keyHeads * length * headSize);
      const presents = names.map((name, part) => {
        const past = sized(longest);
        for (const [index, piece] of pieces.entries()) {
          slab.give(part, piece.row, piece.past, past, index, longest);
        }
        const present = sized(total);
        const dims = (length: number) => [pieces.length, keyHeads, length, headSize];
        feeds[`past_key_values.${name}`] = tensorOf(cacheType, past, dims(longest));
        fetches[`present.${name}`] = tensorOf(cacheType, present, dims(total));
        return present;
      });
      return () => {
        for (const [part, present] of presents.entries()) {
          for (const [index, { row, past }] of pieces.entries()) {
            slab.take(part, row, past, count, present, index, total, longest);
          }
        }
      };
    },
  };
}

/** The memory of logits, which grows to the largest run. */
function logitsMemory(type: 'float32' | 'float16', vocabulary: number) {
  let memory = newArray(type, 0);
  let numbers = new Float32Array(0);
  let tensor: OrtTensor | undefined;
  return {
    of(batch: number, keep: number): OrtTensor {
      const [rows, kept] = tensor?.dims ?? [];
      if (tensor !== undefined && rows === batch && kept === keep) return tensor;
      const length = batch * keep * vocabulary;
      if (memory.length < length) memory = newArray(type, length);
      return (tensor = tensorOf(type, memory.subarray(0, length), [batch, keep, vocabulary]));
    },
    values(rows: number): Float32Array {
      const length = rows * vocabulary;
      if (memory instanceof Float32Array) return memory.subarray(0, length);
      if (numbers.length < length) numbers = new Float32Array(length);
      for (let i = 0; i < length; i++) numbers[i] = float16ToNumber(memory[i]!);
      return numbers.subarray(0, length);
    },
  };
}
