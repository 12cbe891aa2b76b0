/**
 * Random weights in the shape of a real model: the answers are meaningless, the speed and the memory
 * are real. No token ends an answer, so each answer has the requested length.
 */
import { seededRandom } from '@skein/onnx';
import { BYTE_SPECIAL, byteTokenizer } from './byte-tokenizer.ts';
import { PLAIN_TEMPLATE } from './example.ts';
import { writeModelFolder } from './folder.ts';
import type { LlamaOptions, LlamaShape, LlamaWeights } from './llama-graph.ts';

/** SmolLM-135M. */
export const SHAPE_135M: LlamaShape = {
  vocabulary: 49_152,
  hidden: 576,
  layers: 30,
  heads: 9,
  keyHeads: 3,
  headSize: 64,
  intermediate: 1536,
  context: 2048,
  ropeBase: 10_000,
  epsilon: 1e-5,
};

/** The test model stories260K. */
export const SHAPE_260K: LlamaShape = {
  vocabulary: 512,
  hidden: 64,
  layers: 5,
  heads: 8,
  keyHeads: 4,
  headSize: 8,
  intermediate: 172,
  context: 512,
  ropeBase: 10_000,
  epsilon: 1e-5,
};

/** Numbers in the pool: a prime, so that rows differ. */
const POOL = 1_000_003;

export function randomLlama(shape: LlamaShape, seed: number): LlamaWeights {
  const { hidden, heads, keyHeads, headSize, intermediate, vocabulary } = shape;
  const random = seededRandom(seed);
  // One pool for all matrices: their numbers need not be independent, and 135M of them take a while.
  const pool = Float32Array.from({ length: POOL }, () => random.next() * 2 - 1);
  const matrix = (rows: number, columns: number, salt: number): Float32Array => {
    const scale = Math.sqrt(3 / columns);
    const result = new Float32Array(rows * columns);
    for (let i = 0, at = (salt * 7919) % POOL; i < result.length; i++) {
      result[i] = pool[at]! * scale;
      if (++at === POOL) at = 0;
    }
    return result;
  };
  const ones = new Float32Array(hidden).fill(1);
  const embedding = matrix(vocabulary, hidden, 1);
  return {
    embedding,
    head: embedding,
    norm: ones,
    layer(index) {
      const salt = 10 * (index + 1);
      return {
        attentionNorm: ones,
        query: matrix(heads * headSize, hidden, salt),
        key: matrix(keyHeads * headSize, hidden, salt + 1),
        value: matrix(keyHeads * headSize, hidden, salt + 2),
        output: matrix(hidden, heads * headSize, salt + 3),
        mlpNorm: ones,
        gate: matrix(intermediate, hidden, salt + 4),
        up: matrix(intermediate, hidden, salt + 5),
        down: matrix(hidden, intermediate, salt + 6),
      };
    },
  };
}

export async function writeRandomModel(
  folder: string,
  shape: LlamaShape,
  options: LlamaOptions,
): Promise<void> {
  const few = byteTokenizer([]).firstWord;
  const words = Array.from({ length: shape.vocabulary - few }, (_, i) => ` w${i}`);
  const { file, bos } = byteTokenizer(words);
  await writeModelFolder(folder, {
    shape,
    weights: randomLlama(shape, 1),
    options,
    tokenizer: file,
    special: { bos },
    specialTokens: { bos: BYTE_SPECIAL.bos },
    chatTemplate: PLAIN_TEMPLATE,
  });
}
