import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { readGgufVocabulary } from './vocabulary.ts';
import { MAGIC } from './header.ts';
import { Writer } from './writer.ts';

const path = join(testFolder(), 'vocabulary.gguf');
const TEXT = 8;
const I32 = 5;

/** A header with a vocabulary and nothing else: each piece with ggml's kind of it. */
function write(form: string, pieces: readonly (readonly [text: string, kind: number])[]): void {
  const header = new Writer().u32(MAGIC).u32(3).u64(0).u64(3);
  header.text('tokenizer.ggml.model').u32(TEXT).text(form);
  header.text('tokenizer.ggml.tokens').array(TEXT, pieces, ([text]) => header.text(text));
  header.text('tokenizer.ggml.token_type').array(I32, pieces, ([, kind]) => header.u32(kind));
  writeFileSync(path, header.bytes());
}

async function read(): Promise<(string | undefined)[]> {
  const table = await readGgufVocabulary(path);
  return Array.from({ length: table.size }, (_, token) =>
    table.isSpecial(token) ? undefined : Buffer.from(table.bytes(token)).toString('latin1'),
  );
}

it('holds the bytes of the tokens in both forms, and none for unknown, control and unused ones', async () => {
  write('llama', [
    ['<unk>', 2],
    ['<s>', 3],
    ['<0x0A>', 6],
    ['▁dog', 1],
    ['<tool_call>', 4],
    ['[unused]', 5],
    ['\uFEFF', 1],
  ]);
  const [mark] = ['\xef\xbb\xbf'];
  expect(await read()).toEqual([
    undefined,
    undefined,
    '\n',
    ' dog',
    '<tool_call>',
    undefined,
    mark,
  ]);
  write('gpt2', [
    ['Ġdog', 1],
    ['Ċ', 1],
    ['Ã', 1],
    ['<|im_end|>', 3],
    ['<think>', 4],
  ]);
  expect(await read()).toEqual([' dog', '\n', '\xc3', undefined, '<think>']);
});

it('refuses a vocabulary of another form, and what is none', async () => {
  write('rwkv', [['a', 1]]);
  await expect(readGgufVocabulary(path)).rejects.toMatchObject({ code: 'GENERATION_UNSUPPORTED' });
  writeFileSync(
    path,
    new Writer()
      .u32(MAGIC)
      .u32(3)
      .u64(0)
      .u64(1)
      .text('tokenizer.ggml.model')
      .u32(TEXT)
      .text('gpt2')
      .bytes(),
  );
  await expect(readGgufVocabulary(path)).rejects.toMatchObject({ code: 'LANGUAGE_MODEL_INVALID' });
});
