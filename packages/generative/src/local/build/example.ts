/**
 * The example model: a whole decoder whose weights are computed instead of trained, so that a fresh
 * clone has a language model without a download. It answers every prompt with the same words, which
 * explain this.
 *
 * Each token leads to the next one: row j of the last matrix is the embedding of the token before j.
 * Random vectors of 128 dimensions are nearly orthogonal, so one logit stands far above the others.
 */
import { seededRandom } from '@skein/onnx';
import { BYTE_SPECIAL, byteTokenizer } from './byte-tokenizer.ts';
import { writeModelFolder } from './folder.ts';
import type { LlamaShape } from './llama-graph.ts';

const WORDS =
  'Hello! I am the example model of Skein. My weights were computed when this folder was written: ' +
  'nothing has been learned, and every prompt gets these words. Deploy a folder with a trained one, ' +
  'and it will answer here instead.';
/** Logit of a wanted token; other tokens have about a third of it at most. */
const LOGIT = 60;

export async function writeExampleModel(folder: string): Promise<void> {
  const pieces = distinct(WORDS);
  const tokenizer = byteTokenizer(pieces);
  const shape: LlamaShape = {
    vocabulary: tokenizer.firstWord + pieces.length,
    hidden: 128,
    layers: 2,
    heads: 4,
    keyHeads: 2,
    headSize: 32,
    intermediate: 256,
    context: 1024,
    ropeBase: 10_000,
    epsilon: 1e-5,
  };
  const { hidden, vocabulary } = shape;
  const random = seededRandom(260);
  const embedding = Float32Array.from({ length: vocabulary * hidden }, () =>
    random.next() < 0.5 ? -1 : 1,
  );
  const row = (token: number): Float32Array =>
    embedding.subarray(token * hidden, (token + 1) * hidden);
  // The text of a prompt makes no difference.
  for (let token = 0; token < tokenizer.firstWord; token++) row(token).set(row(tokenizer.answer));
  const head = new Float32Array(vocabulary * hidden);
  const leadsTo = (token: number, next: number): void =>
    head.set(
      row(token).map((value) => (value * LOGIT) / hidden),
      next * hidden,
    );
  leadsTo(tokenizer.answer, tokenizer.firstWord);
  for (let i = 1; i < pieces.length; i++)
    leadsTo(tokenizer.firstWord + i - 1, tokenizer.firstWord + i);
  leadsTo(vocabulary - 1, tokenizer.eos);
  const ones = new Float32Array(hidden).fill(1);
  const none = (rows: number, columns: number): Float32Array => new Float32Array(rows * columns);
  const keys = shape.keyHeads * shape.headSize;
  await writeModelFolder(folder, {
    shape,
    weights: {
      embedding,
      norm: ones,
      head,
      layer: () => ({
        attentionNorm: ones,
        query: none(hidden, hidden),
        key: none(keys, hidden),
        value: none(keys, hidden),
        output: none(hidden, hidden),
        mlpNorm: ones,
        gate: none(shape.intermediate, hidden),
        up: none(shape.intermediate, hidden),
        down: none(hidden, shape.intermediate),
      }),
    },
    options: { weights: 'float32' },
    tokenizer: tokenizer.file,
    special: tokenizer,
    specialTokens: BYTE_SPECIAL,
    chatTemplate: PLAIN_TEMPLATE,
  });
}

export const PLAIN_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}<|answer|>";

/** The text in distinct pieces of one word or more. */
function distinct(text: string): string[] {
  const pieces = new Set<string>();
  let piece = '';
  for (const word of text.split(/(?= )/)) {
    piece += word;
    if (piece.length < 2 || pieces.has(piece)) continue;
    pieces.add(piece);
    piece = '';
  }
  if (piece !== '') pieces.add(piece);
  return [...pieces];
}
