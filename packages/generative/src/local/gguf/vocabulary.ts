/** The bytes of each token of a GGUF file, as ggml's specification writes its vocabularies. */
import { SkeinError } from '@skein/api';
import { bytesOfPiece, type TokenTable } from '../model/vocabulary.ts';
import { invalid } from '../model/invalid.ts';
import { readGgufHeader, type GgufValue } from './header.ts';

const TOKENS = 'tokenizer.ggml.tokens';
const TYPES = 'tokenizer.ggml.token_type';
/** ggml's kinds of tokens without text: unknown, control and unused. */
const SPECIAL: ReadonlySet<GgufValue> = new Set([2, 3, 5]);
/** A text that the vocabulary was given as it stands. */
const USER_DEFINED = 4;
const FORMS: Readonly<Record<string, keyof typeof bytesOfPiece>> = {
  llama: 'sentence-piece',
  gpt2: 'byte-level',
};
const NONE = new Uint8Array(0);
const utf8 = new TextEncoder();

/**
 * @throws SkeinError LANGUAGE_MODEL_INVALID when the file has no vocabulary, GENERATION_UNSUPPORTED when it is of
 *   a form whose bytes are not known here.
 */
export async function readGgufVocabulary(path: string): Promise<TokenTable> {
  const { metadata } = (await readGgufHeader(path, new Set([TOKENS, TYPES]))).header;
  const form = metadata.get('tokenizer.ggml.model');
  const bytesOf = typeof form === 'string' && Object.hasOwn(FORMS, form) ? FORMS[form] : undefined;
  if (bytesOf === undefined) {
    const known = Object.keys(FORMS).join(' and ');
    throw new SkeinError(
      'GENERATION_UNSUPPORTED',
      `Schemas, required tools and log probabilities need a vocabulary of the form ${known}; the model's is ${typeof form === 'string' ? form : 'not stated'}.`,
    );
  }
  const pieces = arrayOf(metadata.get(TOKENS));
  const types = arrayOf(metadata.get(TYPES));
  const table = pieces.map((piece, token) => {
    if (typeof piece !== 'string') throw invalid('The GGUF file has tokens that are not texts');
    if (SPECIAL.has(types[token]!)) return NONE;
    return types[token] === USER_DEFINED ? utf8.encode(piece) : bytesOfPiece[bytesOf](piece);
  });
  return {
    size: table.length,
    bytes: (token) => table[token] ?? NONE,
    isSpecial: (token) => SPECIAL.has(types[token]!),
  };
}

function arrayOf(value: GgufValue | undefined): readonly GgufValue[] {
  const values = typeof value === 'object' ? value.values : undefined;
  if (values === undefined) throw invalid('The GGUF file has no vocabulary');
  return values;
}
