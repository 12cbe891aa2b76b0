/**
 * Converts the tokenizers of llama2.c (`tokenizer.bin`: a score and bytes per token) to Hugging
 * Face's tokenizer.json. SentencePiece merges the pair whose result has the best score; a list of
 * merges in the order of scores does the same.
 */
import { invalid } from '../model/invalid.ts';
import { specialParts } from './byte-tokenizer.ts';

const SPECIAL = ['<unk>', '<s>', '</s>'];

export interface Piece {
  readonly text: string;
  readonly score: number;
}

/**
 * The pieces in the order of their tokens, with `▁` for a space.
 * @throws SkeinError LANGUAGE_MODEL_INVALID when the file is cut off.
 */
export function piecesOfLlama2c(file: Uint8Array, size: number): readonly Piece[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  // A piece may be a byte order mark.
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  const pieces: Piece[] = [];
  let at = 4;
  while (pieces.length < size) {
    if (at + 8 > file.byteLength)
      throw invalid(`The tokenizer holds ${pieces.length} of ${size} tokens`);
    const score = view.getFloat32(at, true);
    const length = view.getInt32(at + 4, true);
    if (length < 0 || at + 8 + length > file.byteLength) throw invalid('The tokenizer is cut off');
    const text = utf8.decode(file.subarray(at + 8, at + 8 + length)).replaceAll(' ', '▁');
    pieces.push({ text: SPECIAL[pieces.length] ?? text, score });
    at += 8 + length;
  }
  return pieces;
}

/** tokenizer.json. @throws SkeinError LANGUAGE_MODEL_INVALID when the file is cut off. */
export function tokenizerOfLlama2c(file: Uint8Array, size: number): Record<string, unknown> {
  const pieces = piecesOfLlama2c(file, size);
  const scores = new Map(pieces.map(({ text, score }) => [text, score]));
  const merges: { pair: [string, string]; score: number }[] = [];
  for (const { text, score } of pieces.slice(SPECIAL.length)) {
    const characters = Array.from(text);
    if (/^<0x..>$/.test(text)) continue;
    for (let cut = 1; cut < characters.length; cut++) {
      const pair: [string, string] = [
        characters.slice(0, cut).join(''),
        characters.slice(cut).join(''),
      ];
      if (scores.has(pair[0]) && scores.has(pair[1])) merges.push({ pair, score });
    }
  }
  return {
    ...specialParts(SPECIAL, 0, '<s>'),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      byte_fallback: true,
      fuse_unk: true,
      vocab: Object.fromEntries(pieces.map(({ text }, id) => [text, id])),
      merges: merges.toSorted((a, b) => b.score - a.score).map(({ pair }) => pair),
    },
  };
}

export const LLAMA2C_SPECIAL = { bos: 1, eos: 2 } as const;
