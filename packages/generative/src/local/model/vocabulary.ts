/**
 * The bytes of each token, which text streams, stop strings and grammars need: a token may be a part
 * of a character, and only its bytes show which.
 *
 * Two forms exist among decoders: byte-level BPE writes each byte as a printable character (GPT-2),
 * SentencePiece writes `▁` for a space and `<0x0A>` for a byte that has no token.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import { SkeinError } from '@skein/api';
import { invalid } from './invalid.ts';

/** The bytes of each token. */
export interface TokenTable {
  readonly size: number;
  /** Empty for special tokens, such as the end of a text. */
  bytes(token: number): Uint8Array;
  isSpecial(token: number): boolean;
}

export interface Vocabulary extends TokenTable {
  /** Bytes of the longest token, of special ones too. */
  readonly longest: number;
  /**
   * Special tokens inside the text are recognised, as chat templates need.
   * @throws SkeinError LANGUAGE_MODEL_INVALID when a part of the tokenizer cannot read the text.
   */
  encode(text: string, addSpecial: boolean): number[];
  id(token: string): number | undefined;
}

interface TokenizerFile {
  readonly model?: { readonly type?: string; readonly vocab?: unknown };
  readonly decoder?: unknown;
  readonly added_tokens?: readonly {
    readonly id: number;
    readonly content: string;
    readonly special?: boolean;
  }[];
}

const utf8 = new TextEncoder();
const NONE = new Uint8Array(0);
/** Most tokens of a vocabulary; the largest has 262,144. The file states the ids, and a table has an entry for each. */
const MOST_TOKENS = 2 ** 21;

/** @throws SkeinError LANGUAGE_MODEL_INVALID when the tokenizer is none of a decoder. */
export function readVocabulary(
  file: unknown,
  config: Readonly<Record<string, unknown>>,
): Vocabulary {
  try {
    return vocabularyOf(file, config);
  } catch (error) {
    // The error comes from the library, or from values that are nested too deep or have another form.
    throw error instanceof SkeinError ? error : invalid('tokenizer.json cannot be read', error);
  }
}

function vocabularyOf(file: unknown, config: Readonly<Record<string, unknown>>): Vocabulary {
  if (typeof file !== 'object' || file === null) throw invalid('tokenizer.json is not an object');
  const { model, decoder, added_tokens: added } = file as TokenizerFile;
  if (model?.type !== 'BPE' && model?.type !== 'Unigram') {
    throw invalid(
      `tokenizer.json has a model of type ${model?.type ?? 'none'}; BPE and Unigram are supported`,
    );
  }
  // Before the library, which fills a list up to the largest id.
  const stated = [
    ...(Array.isArray(model.vocab) ? [] : Object.values(model.vocab ?? {})),
    ...(added ?? []).map(({ id }) => id),
  ] as unknown[];
  const wrong = stated.find(
    (id) => !Number.isInteger(id) || Number(id) < 0 || Number(id) >= MOST_TOKENS,
  );
  if (wrong !== undefined) {
    const shown = JSON.stringify(wrong);
    throw invalid(`tokenizer.json has the token ${shown}; ids are 0 to ${MOST_TOKENS - 1}`);
  }
  const tokenizer = new Tokenizer(file, config);
  const isByteLevel = JSON.stringify(decoder ?? null).includes('"ByteLevel"');
  const bytesOf = bytesOfPiece[isByteLevel ? 'byte-level' : 'sentence-piece'];
  // Ids between which there are none have no text.
  const entries = [...tokenizer.get_vocab(true)].filter(([token]) => typeof token === 'string');
  const size = entries.reduce((most, [, id]) => Math.max(most, id + 1), 0);
  if (!(size <= MOST_TOKENS)) {
    throw invalid(`tokenizer.json has the token ${size - 1}; at most ${MOST_TOKENS} are supported`);
  }
  const table: Uint8Array[] = Array.from({ length: size }, () => NONE);
  for (const [token, id] of entries) table[id] = bytesOf(token);
  const special = new Set<number>();
  for (const { id, content, special: isSpecial = false } of added ?? []) {
    table[id] = isSpecial ? NONE : utf8.encode(content);
    if (isSpecial) special.add(id);
  }
  const texts = [
    ...table.map((bytes) => bytes.length),
    ...(added ?? []).map(({ content }) => content.length),
  ];
  const longest = texts.reduce((most, each) => Math.max(most, each), 1);
  return {
    size,
    longest,
    bytes: (token) => table[token] ?? NONE,
    isSpecial: (token) => special.has(token),
    encode(text, addSpecial) {
      try {
        return tokenizer.encode(text, { add_special_tokens: addSpecial }).ids;
      } catch (error) {
        throw invalid('tokenizer.json has a part that cannot read a text', error);
      }
    },
    id: (token) => tokenizer.token_to_id(token),
  };
}

const BYTE = /^<0x([0-9A-F]{2})>$/;

function sentencePiece(token: string): Uint8Array {
  const byte = BYTE.exec(token)?.[1];
  return byte === undefined
    ? utf8.encode(token.replaceAll('▁', ' '))
    : Uint8Array.of(Number.parseInt(byte, 16));
}

/** The bytes of a token, by how its vocabulary is written. */
export const bytesOfPiece = { 'byte-level': byteLevel, 'sentence-piece': sentencePiece } as const;

/** How byte-level BPE writes a byte. */
export function characterOfByte(byte: number): string {
  return CHARACTERS[byte]!;
}

/** Characters of GPT-2's encoder: printable bytes stand for themselves, others follow from 256 on. */
const CHARACTERS: readonly string[] = ((): string[] => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
})();
const BYTES_OF_CHARACTERS = new Map(CHARACTERS.map((character, byte) => [character, byte]));

function byteLevel(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = BYTES_OF_CHARACTERS.get(character);
    if (byte === undefined) return utf8.encode(token);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
