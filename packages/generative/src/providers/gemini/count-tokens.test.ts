import { expect, it } from 'vitest';
import { startGemini } from './testing/scripted-upstream.ts';

const signal = new AbortController().signal;

async function start(answer: object, onVertex: boolean) {
  const { provider, asked } = await startGemini(answer, onVertex);
  const count = () =>
    provider.countTokens!(
      {
        model: 'm',
        messages: [
          { role: 'system', content: [{ type: 'text', text: 'Be short.' }] },
          { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        ],
        stream: false,
      },
      { signal, deadline: Infinity, gapMs: 10_000 },
    );
  return { asked, count };
}

const whole = {
  contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
  systemInstruction: { parts: [{ text: 'Be short.' }] },
};

it.each([
  ['the Gemini API, wrapped', false, { generateContentRequest: { ...whole, model: 'models/m' } }],
  ['Vertex AI, as it is', true, whole],
])('asks %s, for the tokens of the whole request', async (_, onVertex, body) => {
  const { asked, count } = await start({ totalTokens: 11 }, onVertex);
  expect(await count()).toBe(11);
  expect(asked).toMatchObject([{ path: '/models/m:countTokens', body }]);
});

it('takes an answer without a count for a failure', async () => {
  const { count } = await start({}, false);
  await expect(count()).rejects.toMatchObject({ code: 'PROVIDER_FAILED' });
});
