/** The model of 260K parameters that tests use, where its weights are on this machine. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLlama2c, type Llama2c } from '../build/llama2c.ts';
import { llamaGguf } from '../gguf/writer.ts';
import {
  LLAMA2C_SPECIAL,
  piecesOfLlama2c,
  tokenizerOfLlama2c,
} from '../build/llama2c-tokenizer.ts';
import { readVocabulary, type Vocabulary } from '../model/vocabulary.ts';
import { writeLlama2c } from '../build/folder.ts';

const DATA = join(import.meta.dirname, '../../../../../../shared/data/lm');
const WEIGHTS = join(DATA, 'stories260K.bin');
const TOKENIZER = join(DATA, 'tok512.bin');

/** Why tests that need the weights are skipped; undefined where they can run. */
export const storiesMissing = existsSync(WEIGHTS)
  ? undefined
  : 'the weights of stories260K are not at ../shared/data/lm';

export function storiesWeights(): Llama2c {
  return readLlama2c(readFileSync(WEIGHTS));
}

const tokenizer = (): Record<string, unknown> =>
  tokenizerOfLlama2c(readFileSync(TOKENIZER), storiesWeights().shape.vocabulary);

export function storiesVocabulary(): Vocabulary {
  return readVocabulary(tokenizer(), {});
}

export function writeStories(folder: string): Promise<void> {
  return writeLlama2c(folder, readFileSync(WEIGHTS), readFileSync(TOKENIZER));
}

export function storiesGguf(): Uint8Array {
  const { shape, weights } = storiesWeights();
  const pieces = piecesOfLlama2c(readFileSync(TOKENIZER), shape.vocabulary).map((piece, id) => ({
    ...piece,
    kind: id < 3 ? (3 as const) : /^<0x..>$/.test(piece.text) ? (6 as const) : (1 as const),
  }));
  const options = { weights: 'float32', chatTemplate: '' } as const;
  return Buffer.concat([...llamaGguf(shape, weights, { pieces, ...LLAMA2C_SPECIAL }, options)]);
}
