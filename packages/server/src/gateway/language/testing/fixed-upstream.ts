/** An upstream of Gemini's or OpenAI's form whose every answer is the same, and the faces of a node over it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LanguageSettings } from '@skein/api';
import { openGateway } from '@skein/generative';
import { expect, onTestFinished } from 'vitest';
import { post, send } from '../../testing/http-face.ts';
import { startLanguageFaces } from './scripted-gateway.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** An upstream that sends `chunks` for every request; chunks of a refusal have a status. */
export async function startUpstream(
  chunks: readonly Fields[],
  refuse?: (body: Fields) => Fields | undefined,
) {
  const bodies: Fields[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    request.on('end', () => {
      const body = JSON.parse(text) as Fields;
      bodies.push(body);
      const error = refuse?.(body);
      if (error !== undefined) {
        response.writeHead(400, { 'content-type': 'application/json' });
        response.end(JSON.stringify(error));
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(''));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = LanguageSettings.parse({
    providers: [
      { name: 'openai', kind: 'openai', baseUrl },
      { name: 'gemini', kind: 'gemini', baseUrl },
    ],
    models: ['openai', 'gemini'].map((provider) => ({
      name: provider,
      routes: [{ provider, model: 'm' }],
      ttftMs: 60_000,
    })),
  });
  const gateway = await openGateway({ settings });
  onTestFinished(async () => {
    await gateway.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = await startLanguageFaces({ languageModels: async () => gateway } as object);
  const ask = async (path: string, body: object): Promise<{ text: string; json: Fields }> => {
    const { status, text, json } = await send(port, path, post(JSON.stringify(body)));
    expect(status, text).toBe(200);
    return { text, json: json as Fields };
  };
  return { bodies, ask };
}

export const CHAT = '/v1/chat/completions';
export const hello = [{ role: 'user', content: 'Hi' }];
export const signed = (thought_signature: string) => ({
  extra_content: { google: { thought_signature } },
});
export const delta = (fields: Fields, more: Fields = {}): Fields => ({
  choices: [{ index: 0, delta: fields, ...more }],
});
export const eventsOf = (text: string): Fields[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)) as Fields);
