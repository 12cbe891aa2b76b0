/** A tokenizer with one token per byte, and some for whole words: for models that nothing was trained for. */
import { characterOfByte } from '../model/vocabulary.ts';

export interface ByteTokenizer {
  /** tokenizer.json. */
  readonly file: Readonly<Record<string, unknown>>;
  readonly bos: number;
  readonly eos: number;
  /** Ends a prompt of messages. */
  readonly answer: number;
  readonly firstWord: number;
}

export const BYTE_SPECIAL = { bos: '<|begin|>', eos: '<|end|>', answer: '<|answer|>' } as const;
const SPECIAL = Object.values(BYTE_SPECIAL);

/** @param words distinct words, each longer than one byte. */
export function byteTokenizer(words: readonly string[]): ByteTokenizer {
  const bytes = Array.from({ length: 256 }, (_, byte) => characterOfByte(byte));
  const spelled = words.map((word) =>
    Array.from(new TextEncoder().encode(word), (byte) => bytes[byte]!).join(''),
  );
  const tokens = [...bytes, ...SPECIAL, ...spelled];
  const [bos, eos, answer] = SPECIAL.map((_, i) => 256 + i) as [number, number, number];
  return {
    bos,
    eos,
    answer,
    firstWord: 256 + SPECIAL.length,
    file: {
      ...specialParts(SPECIAL, 256, BYTE_SPECIAL.bos),
      normalizer: null,
      pre_tokenizer: {
        type: 'ByteLevel',
        add_prefix_space: false,
        trim_offsets: true,
        use_regex: false,
      },
      decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: [],
      },
    },
  };
}

/** The parts of tokenizer.json for special tokens with ids from `first`; `bos` begins a text. */
export function specialParts(contents: readonly string[], first: number, bos: string) {
  return {
    version: '1.0',
    added_tokens: contents.map((content, i) => ({
      id: first + i,
      content,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: bos, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { [bos]: { id: bos, ids: [first + contents.indexOf(bos)], tokens: [bos] } },
    },
  };
}
