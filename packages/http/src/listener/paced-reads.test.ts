import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PacedReads } from './paced-reads.ts';

const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const PATIENT = { timeout: 30_000 };
/** Requests of a slice that takes longer than a turn has. */
const SLOW_MS = 11;
/** Chunks of one byte in a slice. */
const PIECES = Math.ceil((16 * 1024) / 6);

/** A server whose reads are paced by a clock on which each slice takes `sliceMs`. */
async function serving(handle: RequestListener, sliceMs = SLOW_MS) {
  let now = 0;
  const paced = new PacedReads(() => (now += sliceMs));
  const server: Server = createServer(handle).on('connection', (socket) => paced.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const client = async (): Promise<Socket> => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }).on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  return { server, paced, client };
}

/** Counts what is noted between two turns of the event loop. */
function countTurns() {
  let most = 0;
  let now = 0;
  let timer: NodeJS.Immediate;
  const next = (): void => {
    most = Math.max(most, now);
    now = 0;
    timer = setImmediate(next);
  };
  next();
  onTestFinished(() => clearImmediate(timer));
  return { note: () => void now++, most: () => Math.max(most, now) };
}

describe('paced reads', () => {
  it('parse no more in a turn than its time allows, over all connections together', async () => {
    const turns = countTurns();
    let pieces = 0;
    const { client } = await serving((request) => {
      request.on('data', () => {
        turns.note();
        pieces++;
      });
    });
    const [connections, chunks] = [6, 30_000];
    const sockets = await Promise.all(Array.from({ length: connections }, client));
    for (const socket of sockets) socket.write(CHUNKED + '1\r\na\r\n'.repeat(chunks));
    await expect.poll(() => pieces, PATIENT).toBe(connections * chunks);
    // The first requests of a turn may belong to the one before. A single read brings 11,000.
    expect(turns.most()).toBeLessThanOrEqual(2 * PIECES);
  });

  it('read every connection in its turn', async () => {
    const seen = new Map<string, number>();
    const { client } = await serving((request) => {
      request.on('data', () => {
        seen.set(request.url!, (seen.get(request.url!) ?? 0) + 1);
      });
    });
    const sockets = await Promise.all(Array.from({ length: 4 }, client));
    const go = (socket: Socket): void => {
      while (socket.writable && socket.write('1\r\na\r\n'.repeat(3000)));
    };
    for (const [index, socket] of sockets.entries()) {
      socket.on('drain', () => go(socket));
      socket.write(CHUNKED.replace('/', `/${index}`));
      go(socket);
    }
    await expect.poll(() => Math.max(...seen.values()), PATIENT).toBeGreaterThan(200_000);
    expect(seen.size).toBe(sockets.length);
    for (const count of seen.values()) expect(count).toBeGreaterThan(100_000);
  });

  it.each([0, SLOW_MS])(
    'bring every byte in its order to a reader that pauses: %i ms',
    async (ms) => {
      const sent = Buffer.from(Uint8Array.from({ length: 1_000_000 }, (_, at) => (at * 31) >> 3));
      const { client } = await serving((request, response) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => {
          parts.push(part);
          if (parts.length % 5 !== 0) return;
          // For so long that the server stops reading.
          request.pause();
          setTimeout(() => request.resume(), 5);
        });
        request.on('end', () => response.end(String(Buffer.concat(parts).equals(sent))));
      }, ms);
      const chunks: (string | Buffer)[] = [CHUNKED];
      for (let at = 0, size = 1; at < sent.length; at += size, size = (size * 7) % 40_009) {
        const chunk = sent.subarray(at, at + size);
        chunks.push(`${chunk.length.toString(16)}\r\n`, chunk, '\r\n');
      }
      const bodies = [
        [...chunks, '0\r\n\r\n'],
        [`${HEAD}Content-Length: ${sent.length}\r\n\r\n`, sent],
      ];
      for (const parts of bodies) {
        const socket = await client();
        let answer = '';
        socket.setEncoding('latin1').on('data', (part) => (answer += part));
        for (let count = 1; count <= 2; count++) {
          for (const part of parts) socket.write(part);
          await expect.poll(() => answer.match(/true|false/g), PATIENT).toHaveLength(count);
        }
        expect(answer.match(/true|false/g)).toEqual(['true', 'true']);
      }
    },
  );

  it('parse nothing of a connection that has been closed', async () => {
    let requests = 0;
    const { client } = await serving((request) => {
      requests++;
      request.socket.destroy();
    }, 0);
    const socket = await client();
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    socket.resume().write(request.repeat(2000));
    await new Promise((resolve) => socket.once('close', resolve));
    // The requests of one slice; a read of the socket has more than two thousand.
    expect(requests).toBeLessThanOrEqual(Math.ceil((16 * 1024) / request.length));
  });

  it('leave a connection to the protocol that takes it over, with what has arrived', async () => {
    const { server, paced, client } = await serving((request) => request.resume());
    const sent = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, at) => at * 13));
    const parts: Buffer[] = [];
    server.on('upgrade', (_, socket: Socket, head) => {
      paced.release(socket);
      socket.unshift(head);
      socket.on('data', (part) => parts.push(part));
    });
    const flood = await client();
    flood.write(CHUNKED + '1\r\na\r\n'.repeat(100_000));
    const socket = await client();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
    socket.write(sent);
    const arrived = (): number => Buffer.concat(parts).length;
    await expect.poll(arrived, PATIENT).toBe(sent.length);
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
    socket.write('more');
    await expect.poll(arrived, PATIENT).toBe(sent.length + 4);
  });
});
