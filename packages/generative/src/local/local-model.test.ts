import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { GenerateRequest } from '../contract.ts';
import { SHAPE_260K, writeRandomModel } from './build/random-llama.ts';
import { openOnnxModel, type LocalModel } from './local-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'skein-local-'));
let model: LocalModel;
beforeAll(async () => {
  await writeRandomModel(folder, SHAPE_260K, { weights: 'float32' });
  const limits = { threads: 1, maxRows: 4, maxQueued: 8, cacheBytes: 2 ** 27 };
  model = await openOnnxModel({ ...limits, path: folder });
});
afterAll(async () => {
  await model.close();
  rmSync(folder, { recursive: true });
});

async function answer(text: string, more: Partial<GenerateRequest> = {}): Promise<string> {
  const request: GenerateRequest = {
    model: 'm',
    messages: [{ role: 'user', content: [{ type: 'text', text }] }],
    sampling: { temperature: 0 },
    maxTokens: 60,
    stream: true,
    ...more,
  };
  let whole = '';
  for await (const event of model.generate(request, new AbortController().signal, 60_000)) {
    if (event.type === 'text') whole += event.text;
  }
  return whole;
}

it('fails a request whose schema shows itself impossible on the way, and no other', async () => {
  const texts = ['one', 'two'];
  const alone = [await answer(texts[0]!), await answer(texts[1]!)];
  // That the rule begins with itself is found when the answer has come to it.
  const schema = {
    type: 'object',
    properties: { x: { $ref: '#/$defs/a' } },
    required: ['x'],
    $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] } },
  };
  const format = { type: 'schema' as const, name: 'x', schema };
  const refused = [1, 2].map(() => answer('three', { format }));
  const beside = texts.map((text) => answer(text));
  for (const each of refused) {
    await expect(each).rejects.toMatchObject({ code: 'GENERATION_UNSUPPORTED' });
  }
  expect(await Promise.all(beside)).toEqual(alone);
  expect(model.state).toMatchObject({ running: 0, queued: 0 });
});
