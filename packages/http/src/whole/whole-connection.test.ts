import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HttpRequest, HttpResponse } from '../exchange/exchange.ts';
import { DEFAULT_LIMITS, type GatewayLimits } from '../limits.ts';
import { createHttpListener } from '../listener/listener.ts';
import { WaitingBytes, WholeConnection } from './whole-connection.ts';

const head = (method: string, path: string, length = 0): string =>
  `${method} ${path} HTTP/1.1\r\nHost: a\r\n${length === 0 ? '' : `Content-Length: ${length}\r\n`}\r\n`;
const post = (body: string): string => head('POST', '/here', body.length) + body;

interface Held {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly body: string;
  readonly isGone: () => boolean;
}

/** A listener that takes requests to `/here`; those to `/here/held` wait in a list. */
async function listening(limits: Partial<GatewayLimits> = {}) {
  const held: Held[] = [];
  const answer = (response: HttpResponse, text: string): void => {
    response.writeHead(200, ['Content-Length', String(Buffer.byteLength(text))]);
    response.end(text);
  };
  const listener = createHttpListener(
    (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => answer(response, `node ${request.url} ${Buffer.concat(parts)}`));
    },
    { ...DEFAULT_LIMITS, drainGraceMs: 0, ...limits },
    { debug() {}, warn() {}, error() {} },
    undefined,
    {
      whole: {
        takes: ({ url }) => url?.startsWith('/here') === true,
        serve(request, body, response) {
          let isGone = false;
          response.once('close', () => (isGone = !response.writableFinished));
          const text = body.toString();
          if (request.url === '/here') answer(response, `whole ${text}`);
          else held.push({ request, response, body: text, isGone: () => isGone });
        },
      },
    },
  );
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => listener.drain(performance.now()));
  return { listener, held, answer, client: () => openClient(port) };
}

async function openClient(port: number) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let text = '';
  socket.setEncoding('latin1').on('data', (part) => (text += part));
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return {
    socket,
    text: () => text,
    /** @returns what has arrived by then. */
    until: async (pattern: RegExp): Promise<string> => {
      await expect.poll(() => text, { timeout: 30_000 }).toMatch(pattern);
      return text;
    },
  };
}

/** Writes the parts one after the other, each when the system has taken the one before. */
async function writeParts(socket: Socket, parts: Iterable<string>): Promise<void> {
  for (const part of parts) {
    await new Promise<void>((resolve) => socket.write(part, () => setImmediate(resolve)));
  }
}

describe('a request that arrives whole', () => {
  it('is answered without Node’s server, as often as its connection repeats it', async () => {
    const { client } = await listening();
    const { socket, until } = await client();
    socket.write(post('one'));
    const text = await until(/whole one$/);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Length: 9\r\nDate: \w{3}, .* GMT\r\n/);
    expect(text).toContain('Connection: keep-alive\r\nKeep-Alive: timeout=65\r\n\r\n');
    socket.write(post('two'));
    await until(/whole two$/);
    socket.write(head('GET', '/here'));
    await until(/whole $/);
  });

  it('may come in pieces', async () => {
    const { client } = await listening();
    const { socket, until } = await client();
    const request = post('x'.repeat(3000));
    await writeParts(socket, [request.slice(0, 20), request.slice(20, 90), request.slice(90)]);
    expect(await until(/\r\n\r\nwhole/)).toMatch(/whole x{3000}$/);
  });

  it('waits while the one before is answered', async () => {
    const { client, held, answer } = await listening();
    const { socket, until } = await client();
    socket.write(head('POST', '/here/held', 1) + 'a');
    await expect.poll(() => held.length).toBe(1);
    await writeParts(socket, [post('b').slice(0, 30), post('b').slice(30)]);
    answer(held[0]!.response, 'first');
    await until(/first[^]*whole b$/);
  });

  it('is notified when its client leaves', async () => {
    const { client, held } = await listening();
    const { socket } = await client();
    socket.write(head('POST', '/here/held'));
    await expect.poll(() => held.length).toBe(1);
    socket.destroy();
    await expect.poll(() => held[0]!.isGone()).toBe(true);
    expect(held[0]!.response.destroyed).toBe(true);
  });

  it('notifies each of its listeners that it has been answered', async () => {
    const { client, held, answer } = await listening();
    const { socket, until } = await client();
    socket.write(head('POST', '/here/held'));
    await expect.poll(() => held.length).toBe(1);
    const { response } = held[0]!;
    const closed: string[] = [];
    for (const name of ['a', 'b']) response.once('close', () => closed.push(name));
    answer(response, 'done');
    await until(/done$/);
    expect(closed).toEqual(['a', 'b']);
  });

  it('is answered in UTF-8 and in bytes, however long the answer is', async () => {
    const { client, held } = await listening();
    const { socket, until, text } = await client();
    socket.write(head('POST', '/here/held'));
    await expect.poll(() => held.length).toBe(1);
    const { response } = held[0]!;
    const bytes = Buffer.alloc(2 ** 22, 'b');
    response.writeHead(200, ['Content-Length', String(2 + bytes.length)]);
    response.cork();
    response.write('ä');
    response.write(bytes);
    response.end();
    const body = (): string => text().slice(text().indexOf('\r\n\r\n') + 4);
    await expect.poll(() => body().length, { timeout: 30_000 }).toBe(2 + bytes.length);
    expect(body() === `\xc3\xa4${bytes.toString()}`).toBe(true);
    expect(response.writableFinished).toBe(true);
    socket.write(post('next'));
    await until(/whole next$/);
  });

  it('gets no header with a line end in it', async () => {
    const { client, held } = await listening();
    const { socket } = await client();
    socket.write(head('POST', '/here/held'));
    await expect.poll(() => held.length).toBe(1);
    const { response } = held[0]!;
    expect(() => response.writeHead(200, ['X-Id', 'a\r\nSet-Cookie: b'])).toThrow('X-Id');
  });
});

describe('anything else goes to Node’s server', () => {
  it.each([
    ['another path', head('POST', '/there', 1) + 'z', /node \/there z$/],
    ['another method', head('PUT', '/here', 1) + 'z', /node \/here z$/],
    [
      'chunks',
      `POST /here HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n`,
      /node \/here z$/,
    ],
    ['a folded header', `GET /here HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n`, /HTTP\/1\.1 400 /],
    [
      'two lengths',
      `POST /here HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nzz`,
      /HTTP\/1\.1 400 /,
    ],
    ['a lone line feed', `GET /here HTTP/1.1\nHost: a\r\n\r\n`, /HTTP\/1\.1 400 |node \/here/],
    ['HTTP/1.0', `GET /here HTTP/1.0\r\n\r\n`, /node \/here $/],
    [
      'no keep-alive',
      `GET /here HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      /Connection: close[^]*node \/here $/,
    ],
    [
      'a large body',
      head('POST', '/here', 100_000) + 'z'.repeat(100_000),
      /node \/here z{100000}$/,
    ],
    ['two requests at once', post('a') + post('b'), /node \/here a[^]*node \/here b$/],
  ])('%s', async (_, request, answered) => {
    const { client } = await listening();
    const { socket, until } = await client();
    socket.write(post('before'));
    await until(/whole before$/);
    socket.write(request);
    expect(await until(answered)).toContain('HTTP/1.1');
  });

  it('a body that stops on its way, and the rest of it', async () => {
    const { client } = await listening();
    const { socket, until, text } = await client();
    socket.write(head('POST', '/here', 2) + 'a');
    // Longer than this side waits for the rest.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(text()).toBe('');
    socket.write('b');
    await until(/node \/here ab$/);
  });

  it('a body in very many pieces', async () => {
    const { client } = await listening();
    const { socket, until } = await client();
    const body = 'y'.repeat(200);
    await writeParts(socket, [head('POST', '/here', body.length), ...body.split('')]);
    expect(await until(/y{200}$/)).toMatch(/(node \/here|whole) y{200}$/);
  });
});

it('what waits for its rest is bounded over all connections', async () => {
  const waiting = new WaitingBytes(100);
  const others: number[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    const connection = new WholeConnection(socket, {
      waiting,
      keepAliveTimeoutMs: 1000,
      unreadTimeoutMs: 1000,
      takes: () => true,
      serve() {},
      onBroken() {},
      onOther: (bytes) => others.push(bytes.length),
    });
    expect(connection.isIdle).toBe(true);
    onTestFinished(() => void socket.destroy());
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const { socket } = await openClient(port);
  socket.write(head('POST', '/here', 500) + 'a'.repeat(200));
  await expect.poll(() => others).toEqual([head('POST', '/here', 500).length + 200]);
  expect(waiting.take(100)).toBe(true);
});

describe('a connection', () => {
  it('that ends within a request is refused', async () => {
    const { client } = await listening();
    const { socket, until } = await client();
    socket.end(head('POST', '/here', 2) + 'a');
    expect(await until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('closes when it has been idle for too long', async () => {
    const { client } = await listening({ keepAliveTimeoutMs: 1 });
    const { socket, until } = await client();
    socket.write(post('a'));
    await until(/whole a$/);
    await expect.poll(() => socket.destroyed, { timeout: 30_000 }).toBe(true);
  });

  it('closes when its client does not read, though it keeps sending', async () => {
    const { client, held } = await listening({ bodyTimeoutMs: 200 });
    const { socket } = await client();
    socket.pause();
    socket.write(head('POST', '/here/held'));
    await expect.poll(() => held.length).toBe(1);
    const bytes = Buffer.alloc(2 ** 24);
    held[0]!.response.writeHead(200, ['Content-Length', String(bytes.length)]);
    held[0]!.response.end(bytes);
    const timer = setInterval(() => socket.write('GET /here HTTP/1.1\r\n'), 20);
    onTestFinished(() => clearInterval(timer));
    await expect.poll(() => held[0]!.response.destroyed, { timeout: 10_000 }).toBe(true);
    // The socket reports its end a turn later.
    await expect.poll(() => held[0]!.isGone()).toBe(true);
  });

  it('is closed by a drain when it is idle, and after its answer otherwise', async () => {
    const { client, held, answer, listener } = await listening();
    const idle = await client();
    idle.socket.write(post('a'));
    await idle.until(/whole a$/);
    const busy = await client();
    busy.socket.write(head('POST', '/here/held'));
    await expect.poll(() => held.length).toBe(1);
    const drained = listener.drain();
    await once(idle.socket, 'close');
    answer(held[0]!.response, 'last');
    await drained;
    await busy.until(/last$/);
  });

  it('closes on the answers of a drain', async () => {
    const { client, listener } = await listening({ drainGraceMs: 2000 });
    const { socket, until } = await client();
    socket.write(post('a'));
    await until(/whole a$/);
    const drained = listener.drain();
    socket.write(post('b'));
    expect(await until(/whole b$/)).toContain('Connection: close\r\n\r\nwhole b');
    await drained;
  });
});
