import * as http from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { SkeinError } from '@skein/api/errors';
import { afterAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { openAiProvider } from '../providers/openai/provider.ts';
import { openUpstream } from './http-client.ts';
import { createIncoming } from './incoming.ts';

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

it('ends calls with the reason when it is closed, and opens no connection after that', async () => {
  const upstream = openUpstream({ name: 'up', baseUrl: `${url}/open`, connectMs: 5000 });
  const { signal } = new AbortController();
  const request = { path: '/chat/completions', headers: {}, body: '{}', signal };
  const answer = await upstream.send(request);
  const waiting = upstream.send(request);
  const read = (async () => {
    // It sends no end.
    for await (const _ of answer.body) upstream.close();
  })();
  const closed = { status: 'rejected', reason: { code: 'NODE_DRAINING' } };
  expect(await Promise.allSettled([read, waiting])).toMatchObject([closed, closed]);
  const before = connections;
  await expect(upstream.send(request)).rejects.toMatchObject({ code: 'NODE_DRAINING' });
  expect(connections).toBe(before);
});

/** @returns its address. */
async function listening(serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const raw = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    serve(socket);
  });
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    raw.close();
  });
  return `127.0.0.1:${(raw.address() as AddressInfo).port}`;
}

function open(baseUrl: string, connectMs = 30_000) {
  const upstream = openUpstream({ name: 'up', baseUrl, connectMs });
  onTestFinished(() => upstream.close());
  const post = (signal = new AbortController().signal) =>
    upstream.send({ path: '/', headers: {}, body: '{}', signal });
  return { post };
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: Text/Plain; charset=x\r\n';
const HELLO = `${OK}content-length: 5\r\n\r\nhello`;

it('sends a request again that a kept connection has lost, and no other one', async () => {
  let requests = 0;
  const address = await listening((socket) =>
    socket.on('data', () => {
      requests += 1;
      if (requests === 2 || requests === 5) socket.destroy();
      else socket.write(HELLO);
    }),
  );
  const first = open(`http://${address}`);
  for (let count = 0; count < 2; count++) expect(await (await first.post()).text()).toBe('hello');
  expect(requests).toBe(3);
  expect(await (await first.post()).text()).toBe('hello');
  await expect(open(`http://${address}`).post()).rejects.toMatchObject({
    code: 'PROVIDER_UNREACHABLE',
  });
  expect(requests).toBe(5);
});

it('leaves a connection alone whose answer has arrived, whatever becomes of the answer', async () => {
  let sockets = 0;
  const address = await listening((socket) => {
    sockets += 1;
    socket.on('data', () => void socket.write(HELLO));
  });
  const { post } = open(`http://${address}`);
  for (let count = 0; count < 3; count++) {
    const answer = await post();
    expect(await answer.text()).toBe('hello');
    answer.discard();
  }
  expect(sockets).toBe(1);
});

it('ends a connection that is not there yet, in time and when its request is left', async () => {
  const closed: Promise<void>[] = [];
  // It never answers the first message of TLS.
  const address = await listening((socket) => {
    closed.push(new Promise((resolve) => socket.resume().once('close', () => resolve())));
  });
  await expect(open(`https://${address}`, 50).post()).rejects.toThrow(/no connection in 50 ms/);
  const caller = new AbortController();
  // Longer than a timer can be set to.
  const left = open(`https://${address}`, 2 ** 31).post(caller.signal);
  await expect.poll(() => closed.length, { timeout: 30_000 }).toBe(2);
  caller.abort(new Error('left'));
  await expect(left).rejects.toMatchObject({
    code: 'PROVIDER_UNREACHABLE',
    message: expect.not.stringContaining('no connection in') as string,
  });
  await Promise.all(closed);
});

it('reads the head behind one that informs, and a body that is compressed', async () => {
  const body = gzipSync('hello');
  const address = await listening((socket) =>
    socket.on('data', () => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n');
      socket.write(`${OK}content-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`);
      socket.write(body);
    }),
  );
  const answer = await open(`http://${address}`).post();
  expect(answer).toMatchObject({ status: 200, contentType: 'text/plain' });
  expect(answer.header('content-encoding')).toBe('gzip');
  expect(await answer.text()).toBe('hello');
});

it('takes memory for an answer that is read whole, and ends with the refusal of the budget', async () => {
  const piece = 'x'.repeat(1000);
  const address = await listening((socket) =>
    socket.on('data', () => {
      socket.write(`${OK}content-length: 5000\r\n\r\n`);
      for (let count = 0; count < 5; count++) socket.write(piece);
    }),
  );
  let held = 0;
  const refused = new SkeinError('BODIES_TOO_LARGE', 'full');
  const upstream = openUpstream({ name: 'up', baseUrl: `http://${address}`, connectMs: 5000 });
  onTestFinished(() => upstream.close());
  const read = async (most: number): Promise<string> => {
    held = 0;
    const { signal } = new AbortController();
    const hold = (bytes: number): void => {
      if (held + bytes > most) throw refused;
      held += bytes;
    };
    return (await upstream.send({ path: '/', headers: {}, signal, hold })).text();
  };
  expect(await read(15_000)).toBe(piece.repeat(5));
  expect(held).toBe(15_000);
  await expect(read(14_999)).rejects.toBe(refused);
});

it('reports an answer without its end as cut', async () => {
  const address = await listening((socket) =>
    socket.on('data', () => void socket.end(`${OK}content-length: 6\r\n\r\nhello`)),
  );
  const answer = await open(`http://${address}`).post();
  await expect(answer.text()).rejects.toMatchObject({ code: 'PROVIDER_CUT' });
});

it('holds an upstream back whose reader is slow', async () => {
  let resumed = 0;
  const resume = (): void => void (resumed += 1);
  const incoming = createIncoming('up', {
    status: 200,
    fields: [],
    resume,
    end: () => {},
  });
  let sent = 1;
  while (incoming.push(Buffer.alloc(1000)) && sent < 1000) sent += 1;
  expect(sent).toBeLessThan(100);
  let read = 0;
  for await (const piece of incoming.answer.body) {
    read += piece.length;
    expect(resumed).toBe(read < sent * 1000 ? 0 : 1);
    if (resumed === 1) incoming.end();
  }
  expect(read).toBe(sent * 1000);
});
