import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { SHAPE_260K, writeRandomModel } from '../build/random-llama.ts';
import { readModelFolder } from './folder.ts';

const folder = testFolder();
const file = join(folder, 'tokenizer.json');
beforeAll(() => writeRandomModel(folder, SHAPE_260K, { weights: 'float32' }));

it('reads a tokenizer with as many tokens and merges as real ones have', async () => {
  // Llama 3. Each merge is a list of two texts.
  const [tokens, merges] = [128_256, 280_147];
  const read = JSON.parse(readFileSync(file, 'utf8')) as { model: Record<string, object> };
  const { vocab } = read.model;
  const first = Object.keys(vocab!).length;
  const more = Array.from({ length: tokens - first }, (_, i) => [` word${i}`, first + i]);
  const model = {
    ...read.model,
    vocab: { ...vocab, ...(Object.fromEntries(more) as object) },
    merges: Array.from({ length: merges }, (_, i) => [`▁left${i}`, `right${i}`]),
  };
  writeFileSync(file, JSON.stringify({ ...read, model }, undefined, 2));
  const { vocabulary } = await readModelFolder(folder);
  expect(vocabulary.size).toBe(tokens);
});

it.each([
  ['half of an object', '{"model": {', /tokenizer\.json cannot be read: .* not valid JSON/],
  ['a list', '[]', /tokenizer\.json is not a JSON object/],
  [
    'values nested without end',
    '['.repeat(100_000),
    /tokenizer\.json cannot be read: .*nested deeper/,
  ],
])('refuses a tokenizer that is %s, with the reason', async (_, text, message) => {
  writeFileSync(file, text);
  await expect(readModelFolder(folder)).rejects.toMatchObject({
    code: 'LANGUAGE_MODEL_INVALID',
    message: expect.stringMatching(message) as string,
  });
});
