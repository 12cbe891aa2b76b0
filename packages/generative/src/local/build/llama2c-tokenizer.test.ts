import { expect, it } from 'vitest';
import { piecesOfLlama2c } from './llama2c-tokenizer.ts';

/** A file of pieces that all have the score 0. */
function fileOf(texts: readonly string[]): Uint8Array {
  const pieces = texts.flatMap((text) => {
    const head = Buffer.alloc(8);
    head.writeInt32LE(Buffer.byteLength(text), 4);
    return [head, Buffer.from(text)];
  });
  return Buffer.concat([Buffer.alloc(4), ...pieces]);
}

it('reads pieces whole, also a byte order mark', () => {
  const texts = ['<unk>', '<s>', '</s>', '\uFEFF', ' dog'];
  const pieces = piecesOfLlama2c(fileOf(texts), texts.length);
  expect(pieces.map(({ text }) => text)).toEqual(['<unk>', '<s>', '</s>', '\uFEFF', '▁dog']);
});
