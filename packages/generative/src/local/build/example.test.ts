import { expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { openOnnxModel } from '../local-model.ts';
import { writeExampleModel } from './example.ts';
import { writeRandomModel } from './random-llama.ts';

const OPTIONS = { threads: 1, maxRows: 2, maxQueued: 8, cacheBytes: 2 ** 27 };
const ask = (text: string) => ({
  model: 'm',
  messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text }] }],
  stream: true,
});

it('answers any prompt with its words and reports that nothing was learned', async () => {
  const folder = testFolder();
  await writeExampleModel(folder);
  const model = await openOnnxModel({ ...OPTIONS, path: folder });
  for (const question of ['Hi', 'Was weißt du über 🦊?']) {
    let text = '';
    const signal = new AbortController().signal;
    for await (const event of model.generate(ask(question), signal, 1000)) {
      if (event.type === 'text') text += event.text;
      if (event.type === 'finish') expect(event.reason).toBe('stop');
    }
    expect(text).toMatch(/^Hello! I am the example model .* answer here instead\.$/);
  }
  await model.close();
});

it('loads 4-bit weights, whose answers are alike alone and with others', async () => {
  const folder = testFolder();
  const shape = {
    vocabulary: 512,
    hidden: 64,
    layers: 2,
    heads: 4,
    keyHeads: 2,
    headSize: 16,
    intermediate: 128,
    context: 128,
    ropeBase: 10_000,
    epsilon: 1e-5,
  };
  await writeRandomModel(folder, shape, { weights: 'int4' });
  const model = await openOnnxModel({ ...OPTIONS, path: folder });
  const answer = async (text: string): Promise<string> => {
    let whole = '';
    const request = { ...ask(text), maxTokens: 20, sampling: { temperature: 0 } };
    for await (const event of model.generate(request, new AbortController().signal, 1000)) {
      if (event.type === 'text') whole += event.text;
    }
    return whole;
  };
  const alone = [await answer('one'), await answer('two')];
  expect(await Promise.all([answer('one'), answer('two')])).toEqual(alone);
  expect(alone[0]).not.toBe(alone[1]);
  await model.close();
});
