/** Callers and callees that do not keep to the handshake, byte by byte. */
import { createServer, type IncomingMessage } from 'node:http';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { acceptLink } from './accept-link.ts';
import { asksForLink, newNonce, proof } from './handshake.ts';
import { openLink } from './open-link.ts';

const KEY = 'a key of the fleet that is long enough';
const NONCE = '0123456789abcdef'.repeat(2);
const closers: (() => void)[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) close();
});

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A callee, and how many callers it has accepted and refused. */
async function callee() {
  const server = createServer();
  const seen = { accepted: 0, refused: 0 };
  server.on('upgrade', (request, socket: Socket, head) => {
    closers.push(() => socket.destroy());
    void acceptLink(request, socket, head, KEY).then((session) => {
      if (session === undefined) seen.refused += 1;
      else seen.accepted += 1;
    });
  });
  return Object.assign(seen, { port: await portOf(server) });
}

const request = (nonce: string): string =>
  `GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: skein-fleet\r\nSkein-Fleet-Nonce: ${nonce}\r\n\r\n`;

/** A caller that sends these bytes, with what it has been answered and the end of its connection. */
function caller(port: number, first: string | Buffer) {
  const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
    socket.write(first);
  });
  closers.push(() => socket.destroy());
  let text = '';
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const answered = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      text += String(chunk);
      if (text.endsWith('\r\n\r\n')) resolve(text);
    });
  });
  socket.on('end', () => socket.end()).on('error', () => {});
  return { socket, answered, closed };
}

const header = (answer: string, name: string): string =>
  new RegExp(`${name}: (\\S+)`, 'i').exec(answer)![1]!;

/** No timer ends a connection before the test moves the time. */
const stopTime = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });

describe('a callee', () => {
  test("refuses its own proof as its caller's", async () => {
    const node = await callee();
    const { socket, answered, closed } = caller(node.port, request(NONCE));
    socket.write(Buffer.from(header(await answered, 'skein-fleet-proof'), 'hex'));
    await closed;
    expect(node).toMatchObject({ accepted: 0, refused: 1 });
  });

  test.each(['', NONCE.slice(1), `${NONCE}0`, NONCE.toUpperCase(), 'x'.repeat(32)])(
    'answers a nonce of the wrong form with 400: "%s"',
    async (nonce) => {
      const node = await callee();
      const { answered, closed } = caller(node.port, request(nonce));
      expect(await answered).toMatch(/^HTTP\/1.1 400/);
      await closed;
      expect(node).toMatchObject({ accepted: 0, refused: 1 });
    },
  );

  test('closes the connection of a caller that sends no proof in time', async () => {
    stopTime();
    const node = await callee();
    const { answered, closed } = caller(node.port, request(NONCE));
    await answered;
    vi.advanceTimersByTime(4999);
    expect(node.refused).toBe(0);
    vi.advanceTimersByTime(1);
    await closed;
    expect(node).toMatchObject({ accepted: 0, refused: 1 });
  });

  test.each([31, 0])(
    'closes the connection of a caller that ends after %i bytes of its proof',
    async (count) => {
      stopTime();
      const node = await callee();
      const { socket, answered, closed } = caller(node.port, request(NONCE));
      await answered;
      socket.end(Buffer.alloc(count));
      await closed;
      expect(node).toMatchObject({ accepted: 0, refused: 1 });
    },
  );

  test('reads a proof that came with the request', async () => {
    stopTime();
    const node = await callee();
    const guess = Buffer.concat([Buffer.from(request(NONCE)), Buffer.alloc(32)]);
    await caller(node.port, guess).closed;
    expect(node).toMatchObject({ accepted: 0, refused: 1 });
  });
});

/** A callee that gives the test's answer, and the caller's end of the connection. */
async function fakeCallee(answer: (nonce: string, socket: Socket) => string) {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    closers.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.once('data', (chunk) => {
      socket.write(answer(header(String(chunk), 'skein-fleet-nonce'), socket));
    });
  });
  return { address: `http://127.0.0.1:${await portOf(server)}`, sockets };
}

const switching = (nonce: string, given: string): string =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: skein-fleet\r\n` +
  `Skein-Fleet-Nonce: ${nonce}\r\nSkein-Fleet-Proof: ${given}\r\n\r\n`;

describe('a caller', () => {
  const proofFor = (nonces: { caller: string; callee: string }, socket: Socket): string =>
    proof(KEY, 'callee', nonces, socket).toString('hex');

  test.each<[string, (nonce: string, socket: Socket) => string]>([
    [
      'what a callee answered another caller',
      (_, socket) => switching(NONCE, proofFor({ caller: newNonce(), callee: NONCE }, socket)),
    ],
    [
      'the proof of a caller',
      (nonce, socket) => {
        const nonces = { caller: nonce, callee: NONCE };
        return switching(NONCE, proof(KEY, 'caller', nonces, socket).toString('hex'));
      },
    ],
    ['no proof', () => switching(NONCE, '')],
    [
      'a part of the proof',
      (nonce, socket) =>
        switching(NONCE, proofFor({ caller: nonce, callee: NONCE }, socket).slice(0, 62)),
    ],
    [
      'more than the proof',
      (nonce, socket) =>
        switching(NONCE, `${proofFor({ caller: nonce, callee: NONCE }, socket)}00`),
    ],
    [
      'a nonce of the wrong form',
      (nonce, socket) => switching('00', proofFor({ caller: nonce, callee: '00' }, socket)),
    ],
  ])('refuses %s, and closes the connection', async (_, answer) => {
    const { address, sockets } = await fakeCallee(answer);
    await expect(openLink(address, { key: KEY }, 5000)).rejects.toThrow('does not know');
    await expect.poll(() => sockets[0]!.destroyed || sockets[0]!.readableEnded).toBe(true);
  });
});

/** A callee that has the key and sends these bytes at once, which HTTP/2 lets it. */
const sending = (more: Buffer) =>
  fakeCallee((nonce, socket) => {
    const given = proof(KEY, 'callee', { caller: nonce, callee: NONCE }, socket).toString('hex');
    // In one write: the caller gets them with the answer.
    socket.write(Buffer.concat([Buffer.from(switching(NONCE, given)), more]));
    return '';
  });
/** An empty SETTINGS frame (RFC 9113, 6.5). */
const SETTINGS = Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0);

test('what a callee sends with its answer is read', async () => {
  const { address } = await sending(SETTINGS);
  const session = await openLink(address, { key: KEY }, 5000);
  closers.push(() => session.destroy());
  const settings = new Promise((resolve) => session.once('remoteSettings', resolve));
  expect(await settings).toMatchObject({ enablePush: true });
});

test('a callee that speaks no HTTP/2 ends the connection, and nothing else', async () => {
  const { address } = await sending(Buffer.alloc(1000, 'x'));
  const session = await openLink(address, { key: KEY }, 5000);
  await new Promise((resolve) => session.once('close', resolve));
  expect(session.destroyed).toBe(true);
});

test('only a GET that names the protocol asks for a link', () => {
  const asks = (method: string, upgrade?: string): boolean =>
    asksForLink({ method, headers: { upgrade } } as IncomingMessage);
  expect(asks('GET', 'skein-fleet')).toBe(true);
  expect(asks('POST', 'skein-fleet')).toBe(false);
  expect(asks('GET', 'websocket')).toBe(false);
  expect(asks('GET')).toBe(false);
});
