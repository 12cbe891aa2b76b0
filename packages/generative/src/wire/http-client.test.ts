import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { openAiProvider } from '../providers/openai/provider.ts';
import { openUpstream } from './http-client.ts';

let connections: number;
beforeEach(() => {
  connections = 0;
});
const TEXT = 'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n';
const server = http.createServer((request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const whole = `${TEXT}data: [DONE]\n\n`;
  if (request.url === '/open/chat/completions') response.write(whole);
  else response.end(whole);
});
server.on('connection', () => (connections += 1));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const call = () => ({ signal: new AbortController().signal, deadline: Infinity, gapMs: 10_000 });
async function ask(baseUrl: string): Promise<string> {
  const provider = openAiProvider({ name: 'up', baseUrl, connectMs: 5000 });
  let text = '';
  for (let count = 0; count < 5; count++) {
    for await (const event of provider.generate(
      { model: 'm', messages: [], stream: true },
      call(),
    )) {
      if (event.type === 'text') text += event.text;
    }
    // Its end has arrived with the last event, and is read in the next turn.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }
  await provider.close();
  return text;
}

it('keeps the connection of a stream whose last event has been read', async () => {
  expect(await ask(url)).toBe('HiHiHiHiHi');
  expect(connections).toBe(1);
});

it('waits for no end behind the last event', async () => {
  expect(await ask(`${url}/open`)).toBe('HiHiHiHiHi');
  expect(connections).toBe(5);
});

it('ends the connection of an answer that is left early', async () => {
  const upstream = openUpstream({ name: 'up', baseUrl: `${url}/open`, connectMs: 5000 });
  const ended = new Promise<void>((resolve) =>
    server.once('request', (_, response: http.ServerResponse) => response.once('close', resolve)),
  );
  const { signal } = new AbortController();
  const answer = await upstream.send({
    path: '/chat/completions',
    headers: {},
    body: '{}',
    signal,
  });
  for await (const _ of answer.body) break;
  await expect(ended).resolves.toBeUndefined();
  upstream.close();
});
