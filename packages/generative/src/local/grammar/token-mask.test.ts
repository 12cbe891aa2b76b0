import { expect, it } from 'vitest';
import { byteTokenizer } from '../build/byte-tokenizer.ts';
import { readVocabulary } from '../model/vocabulary.ts';
import { array, string } from './json-text.ts';
import { maskOf, TokenTrie } from './token-mask.ts';

const { file, eos } = byteTokenizer(['[" ', 'ab"', '",']);
const vocabulary = readVocabulary({ ...file }, {});
const trie = new TokenTrie(vocabulary, vocabulary.size);

/** The masks before each character of a text. */
function masksOf(text: string, mostBytes?: number): Uint8Array[] {
  const mask = maskOf(array(string()), trie, new Set([eos]), mostBytes);
  return [...Buffer.from(text)].map((byte) => {
    const allowed = mask.allowed();
    mask.accept(byte);
    return allowed;
  });
}

it('keeps the masks of states that come again, within its memory', () => {
  // Each item has the same three states.
  const text = '["x","x","x","x","x","x"';
  const all = masksOf(text);
  expect(new Set(all).size).toBeLessThan(8);
  const few = masksOf(text, 2 * trie.size);
  expect(few.map((mask) => Buffer.from(mask))).toEqual(all.map((mask) => Buffer.from(mask)));
  expect(new Set(few).size).toBeGreaterThan(15);
  // Inside of a string there is one state, however long it is.
  expect(new Set(masksOf(`["${'x'.repeat(50)}`, 2 * trie.size)).size).toBeLessThan(5);
});

it('allows the tokens whose bytes may follow, and the end where the text may end', () => {
  const [start, , inside] = masksOf('["x"');
  const allowed = (mask: Uint8Array): string[] =>
    [...mask.keys()]
      .filter((token) => mask[token] === 1)
      .map((token) => (token === eos ? 'end' : Buffer.from(vocabulary.bytes(token)).toString()));
  expect(allowed(start!)).toEqual(['[', '[" ']);
  expect(allowed(inside!)).toEqual(expect.arrayContaining(['a', '"', 'ab"', '",']));
  expect(allowed(masksOf('[]x')[2]!)).toEqual(['end']);
});
