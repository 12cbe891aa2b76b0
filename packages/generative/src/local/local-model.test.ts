import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readModel, writeModel } from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { moveOut } from '../../../onnx/src/testing/small-models.ts';
import type { GenerateRequest } from '../contract.ts';
import { SHAPE_260K, writeRandomModel } from './build/random-llama.ts';
import { openOnnxModel, type LocalModel } from './local-model.ts';

const folder = testFolder();
const open = (path: string): Promise<LocalModel> =>
  openOnnxModel({ path, threads: 1, maxRows: 4, maxQueued: 8, cacheBytes: 2 ** 27 });
let model: LocalModel;
beforeAll(async () => {
  await writeRandomModel(folder, SHAPE_260K, { weights: 'float32' });
  model = await open(folder);
});
afterAll(async () => {
  await model.close();
});

async function answer(
  text: string,
  more: Partial<GenerateRequest> = {},
  by = model,
): Promise<string> {
  const request: GenerateRequest = {
    model: 'm',
    messages: [{ role: 'user', content: [{ type: 'text', text }] }],
    sampling: { temperature: 0 },
    maxTokens: 60,
    stream: true,
    ...more,
  };
  let whole = '';
  for await (const event of by.generate(request, new AbortController().signal, 60_000)) {
    if (event.type === 'text') whole += event.text;
  }
  return whole;
}

it('fails a request whose schema shows itself impossible on the way, and no other', async () => {
  const texts = ['one', 'two'];
  const alone = [await answer(texts[0]!), await answer(texts[1]!)];
  // The rule begins with itself; the automaton detects this when the answer reaches the rule.
  const schema = {
    type: 'object',
    properties: { x: { $ref: '#/$defs/a' } },
    required: ['x'],
    $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] } },
  };
  const format = { type: 'schema' as const, name: 'x', schema };
  const refused = [1, 2].map(() => answer('three', { format }));
  const together = texts.map((text) => answer(text));
  for (const each of refused) {
    await expect(each).rejects.toMatchObject({ code: 'GENERATION_UNSUPPORTED' });
  }
  expect(await Promise.all(together)).toEqual(alone);
  expect(model.state).toMatchObject({ running: 0, queued: 0 });
});

it('refuses megabytes that no context holds, before it reads them', async () => {
  const refused = answer('a'.repeat(16 * 2 ** 20));
  await expect(refused).rejects.toMatchObject({
    code: 'CONTEXT_TOO_LONG',
    message: expect.stringContaining('or more') as string,
  });
});

it('reads weights from a file next to the graph, and refuses one that is cut off or missing', async () => {
  const copy = testFolder();
  cpSync(folder, copy, { recursive: true });
  const graph = join(copy, 'model.onnx');
  const file = readModel(readFileSync(graph));
  const sizeOf = ({ rawData }: { readonly rawData: Uint8Array }): number => rawData.byteLength;
  const { initializer } = file.graph!;
  initializer.sort((a, b) => sizeOf(b) - sizeOf(a));
  const offset = 4096;
  const length = sizeOf(initializer[0]!);
  const entries = { location: 'weights.bin', offset: `${offset}`, length: `${length}` };
  const weights = join(copy, 'weights.bin');
  writeFileSync(weights, Buffer.concat([new Uint8Array(offset), moveOut(file, entries)]));
  writeFileSync(graph, writeModel(file));
  const external = await open(copy);
  const answered = await answer('one', {}, external);
  await external.close();
  expect(answered).toBe(await answer('one'));
  truncateSync(weights, offset + length - 1);
  await expect(open(copy)).rejects.toMatchObject({
    code: 'LANGUAGE_MODEL_INVALID',
    message: expect.stringContaining('weights.bin is truncated'),
  });
  rmSync(weights);
  await expect(open(copy)).rejects.toMatchObject({
    code: 'LANGUAGE_MODEL_INVALID',
    message: expect.stringContaining('weights.bin'),
  });
});
