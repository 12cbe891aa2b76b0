import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../../../scripts/testing/folder.ts';
import { chunksOf } from './chunks.ts';
import { chunk, tokens } from './text.ts';

/** Tokens of two characters within a word, and one for the space before it; "ab" after a space is one token with it. */
const count = (text: string): number => (text.match(/\sab(?!\S)|\s|\S{1,2}/gu) ?? []).length;

const TEXT = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '𝔸', ' ', '\n'), maxLength: 60 });

it('cuts a text into chunks that fit, and together are the text', () => {
  fc.assert(
    fc.property(TEXT, fc.integer({ min: 1, max: 9 }), (text, most) => {
      const chunks = chunksOf(text, count, { tokens: most, overlap: 0 });
      expect(chunks.map((each) => each.text).join('')).toBe(text);
      for (const each of chunks) {
        expect(each.tokens).toBe(count(each.text));
        expect(each.tokens).toBeLessThanOrEqual(most);
      }
    }),
  );
});

it('repeats at most the overlap, leaves out no text, and moves on with each chunk', () => {
  const bounds = fc
    .integer({ min: 2, max: 9 })
    .chain((most) => fc.tuple(fc.constant(most), fc.integer({ min: 1, max: most - 1 })));
  fc.assert(
    fc.property(TEXT, bounds, (text, [most, overlap]) => {
      let end = 0;
      for (const each of chunksOf(text, count, { tokens: most, overlap })) {
        expect(each.tokens).toBeLessThanOrEqual(most);
        // The chunk begins at some place before the end of the one before it.
        const shared = [...Array(Math.min(end, each.text.length) + 1).keys()].filter(
          (length) => each.text === text.slice(end - length, end - length + each.text.length),
        );
        const short = shared.find((length) => count(text.slice(end - length, end)) <= overlap);
        expect(short).toBeDefined();
        expect(each.text.length).toBeGreaterThan(short!);
        end += each.text.length - short!;
      }
      expect(end).toBe(text.length);
    }),
  );
  const words = 'one two three four five';
  const byWords = (text: string): number => text.split(' ').filter((word) => word !== '').length;
  expect(chunksOf(words, byWords, { tokens: 3, overlap: 1 })).toEqual([
    { text: 'one two three', tokens: 3 },
    { text: ' three four five', tokens: 3 },
  ]);
});

/** Byte-level BPE in which " the" is one token. */
function tokenizerFile(): string {
  const path = join(testFolder(), 'tokenizer.json');
  const alphabet = ['t', 'h', 'e', 'Ġ', 'c', 'a', 'th', 'the', 'Ġthe'];
  const file = {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: {
      type: 'ByteLevel',
      add_prefix_space: false,
      trim_offsets: true,
      use_regex: true,
    },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(alphabet.map((token, id) => [token, id])),
      merges: ['t h', 'th e', 'Ġ the'],
    },
  };
  writeFileSync(path, JSON.stringify(file));
  return path;
}

it('counts and cuts by a tokenizer.json, with the other columns of the rows', async () => {
  const tokenizer = tokenizerFile();
  const columns = { id: [7, 8, 9], text: ['the the cat', null, ''] };
  // the, " the", and " cat" as four tokens.
  expect(await tokens(columns, { tokenizer })).toEqual({ ...columns, tokens: [6, null, 0] });
  expect(await chunk(columns, { tokenizer, tokens: '5' })).toEqual({
    id: [7, 7],
    text: ['the the', ' cat'],
    chunk: [0, 1],
    tokens: [2, 4],
  });
});

it.each([
  [{ tokens: '0' }, 'option tokens is 0, not an integer from 1'],
  [{ overlap: '512' }, 'option overlap is 512, not an integer from 0 to 511'],
  [{ size: '1' }, 'it takes no option "size"; its options are column, tokenizer'],
  [{ column: 'body' }, 'there is no column "body"; there are text'],
  [{ tokenizer: '/none' }, '/none is no tokenizer.json: ENOENT'],
])('refuses %o', async (options, message) => {
  const given = { tokenizer: tokenizerFile(), ...options };
  await expect(chunk({ text: ['the'] }, given)).rejects.toThrow(message);
});
