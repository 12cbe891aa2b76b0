import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { geminiProvider } from './provider.ts';

/** An upstream that answers with `said`, and the provider over it. */
async function start(said: object, countsWhole: boolean) {
  const asked: { readonly path: string | undefined; readonly body: unknown }[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      asked.push({ path: request.url, body: await json(request) });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(said));
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const provider = geminiProvider({
    name: 'up',
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connectMs: 5000,
    modelsPath: '/v1beta/models',
    credentials: async () => ({}),
    countsWhole,
  });
  onTestFinished(async () => {
    await provider.close();
    server.close();
  });
  const signal = new AbortController().signal;
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
])('asks %s, for the tokens of the whole request', async (_, countsWhole, body) => {
  const { asked, count } = await start({ totalTokens: 11 }, countsWhole);
  expect(await count()).toBe(11);
  expect(asked).toMatchObject([{ path: '/v1beta/models/m:countTokens', body }]);
});

it('takes an answer without a count for a failure', async () => {
  const { count } = await start({}, false);
  await expect(count()).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' });
});
