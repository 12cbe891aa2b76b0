/** A stream whose provider breaks off: each client reads the error that the node sent, and HTTP ends the body. */
import { GoogleGenAI } from '@google/genai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';
import OpenAI from 'openai';
import { SkeinError } from '@skein/api';
import { expect, test } from 'vitest';
import { startLanguageFaces } from './testing/scripted-gateway.ts';

const model = 'chat';
const messages = [{ role: 'user' as const, content: 'Hi' }];
const contents = [{ parts: [{ text: 'Hi' }] }];

/** @returns the address of a node whose provider breaks off after two pieces. */
async function startBroken(): Promise<string> {
  const { gateway, url } = await startLanguageFaces();
  gateway.script = async function* () {
    yield { type: 'text', text: 'Hel' };
    yield { type: 'text', text: 'lo' };
    throw new SkeinError('PROVIDER_CUT', 'Provider up: the connection ended.');
  };
  return url;
}

/** @returns how many pieces came before the error. */
async function piecesOf(stream: AsyncIterable<unknown>, error: object): Promise<number> {
  let pieces = 0;
  const read = async (): Promise<void> => {
    for await (const _ of stream) pieces += 1;
  };
  await expect(read()).rejects.toMatchObject(error);
  return pieces;
}

test('openai throws its own error on each of its endpoints', async () => {
  const url = await startBroken();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  const cut = { code: 'provider_cut', message: expect.stringMatching(/Provider up/) as string };
  const chat = await client.chat.completions.create({ model, messages, stream: true });
  expect(await piecesOf(chat, cut)).toBeGreaterThan(0);
  const text = await client.completions.create({ model, prompt: 'Hi', stream: true });
  expect(await piecesOf(text, cut)).toBeGreaterThan(0);
  const response = await client.responses.create({ model, input: 'Hi', stream: true });
  expect(await piecesOf(response, cut)).toBeGreaterThan(0);
  const helped = client.responses.stream({ model, input: 'Hi' });
  await expect(helped.finalResponse()).rejects.toMatchObject(cut);
});

test('ai with @ai-sdk/openai-compatible yields the error as a part of the stream', async () => {
  const url = await startBroken();
  const baseURL = `${url}/v1`;
  const provider = createOpenAICompatible({ name: 'skein', baseURL });
  for (const used of [provider.chatModel(model), provider.completionModel(model)]) {
    const { fullStream } = streamText({ model: used, prompt: 'Hi', onError() {} });
    let text = '';
    const errors: unknown[] = [];
    for await (const part of fullStream) {
      if (part.type === 'text-delta') text += part.text;
      if (part.type === 'error') errors.push(part.error);
    }
    expect(text).toBe('Hello');
    expect(errors.map(String)).toEqual([expect.stringMatching(/Provider up/)]);
  }
});

test('@google/genai throws its own error', async () => {
  const url = await startBroken();
  const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: url } });
  const stream = await client.models.generateContentStream({ model, contents });
  const error = { name: 'ApiError', message: expect.stringMatching(/PROVIDER_CUT/) as string };
  expect(await piecesOf(stream, error)).toBeGreaterThan(0);
});

test.each([
  ['/v1/chat/completions', { model, messages }, /"skein_code":"PROVIDER_CUT"[^\n]*\n\n$/],
  ['/v1/completions', { model, prompt: 'Hi' }, /"skein_code":"PROVIDER_CUT"[^\n]*\n\n$/],
  ['/v1/responses', { model, input: 'Hi' }, /event: response\.failed\n[^\n]*\n\n$/],
  [`/v1beta/models/${model}:streamGenerateContent?alt=sse`, { contents }, /PROVIDER_CUT.*\n\n$/],
])('the body of %s ends, without the end of a whole answer', async (path, body, last) => {
  const url = await startBroken();
  const answer = await fetch(url + path, {
    method: 'POST',
    body: JSON.stringify({ ...body, ...(path.startsWith('/v1/') && { stream: true }) }),
  });
  const text = await answer.text();
  expect(text).toMatch(last);
  expect(text).not.toMatch(/\[DONE\]|finish_?reason":"|response\.completed/i);
});

test('the list of a Gemini stream without events ends with the error', async () => {
  const url = await startBroken();
  const path = `/v1beta/models/${model}:streamGenerateContent`;
  const body = JSON.stringify({ contents });
  const answer = await fetch(url + path, { method: 'POST', body });
  const list = (await answer.json()) as object[];
  expect(list.length).toBeGreaterThan(1);
  expect(JSON.stringify(list.at(-1))).toContain('"reason":"PROVIDER_CUT"');
});
