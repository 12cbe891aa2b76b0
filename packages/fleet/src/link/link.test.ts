/** Connections between nodes over real sockets. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Socket,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { acceptLink } from './accept-link.ts';
import { asksForLink } from './handshake.ts';
import { openLink } from './open-link.ts';
import { LINK_SETTINGS, SESSION_WINDOW } from './settings.ts';

const KEY = 'a key of the fleet that is long enough';
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A self-signed certificate. */
function certificate(): { readonly cert: string; readonly key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'skein-link-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=node',
      '-keyout',
      key,
      '-out',
      cert,
    ],
    { stdio: 'ignore' },
  );
  const pair = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  rmSync(folder, { recursive: true });
  return pair;
}

interface Callee {
  readonly address: string;
  session?: ServerHttp2Session;
  /** Connections that proved the key. */
  proven: number;
  refused: number;
}

async function callee(
  key: string,
  tls?: { readonly cert: string; readonly key: string },
): Promise<Callee> {
  const server: Server = tls === undefined ? createServer() : createSecureServer(tls);
  const state: Callee = { address: '', proven: 0, refused: 0 };
  server.on('upgrade', (request, socket, head) => {
    expect(asksForLink(request)).toBe(true);
    closers.push(() => socket.destroy());
    void acceptLink(request, socket as Socket, head, key).then((session) => {
      if (session === undefined) {
        state.refused++;
        return;
      }
      state.proven++;
      state.session = session;
      session.on('stream', (stream) => {
        stream.respond({ ':status': 200 });
        stream.end('hello');
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    address: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
  });
}

async function ask(address: string, key = KEY): Promise<string> {
  const session = await openLink(address, { key }, 5000);
  closers.push(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  let body = '';
  for await (const chunk of stream) body += String(chunk);
  return body;
}

describe('a link between nodes', () => {
  test('opens where both know the key, and carries streams', async () => {
    const node = await callee(KEY);
    expect(await ask(node.address)).toBe('hello');
    expect(node).toMatchObject({ proven: 1, refused: 0 });
  });

  test('takes the tensors of many requests at once, in both directions', async () => {
    const node = await callee(KEY);
    const session = await openLink(node.address, { key: KEY }, 5000);
    closers.push(() => session.destroy());
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    for (const end of [session, node.session!]) {
      expect(end.state.effectiveLocalWindowSize).toBe(SESSION_WINDOW);
      expect(end.remoteSettings).toMatchObject(LINK_SETTINGS);
    }
  });

  test('does not open to a node with another key, which learns no proof', async () => {
    const node = await callee('another key that is as long as the first');
    await expect(ask(node.address)).rejects.toThrow('does not know the fleet key');
    await expect.poll(() => node.refused).toBe(1);
    expect(node.proven).toBe(0);
  });

  test('does not open for a caller without the key', async () => {
    const node = await callee(KEY);
    const { port } = new URL(node.address);
    const socket = connectTcp(Number(port), '127.0.0.1');
    socket.on('error', () => {}).resume();
    socket.write(
      `GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: skein-fleet\r\nSkein-Fleet-Nonce: ${'0'.repeat(32)}\r\n\r\n`,
    );
    socket.write(Buffer.alloc(32));
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(node).toMatchObject({ proven: 0, refused: 1 });
  });

  test('does not open for a caller that repeats what it has seen', async () => {
    const node = await callee(KEY);
    const { port } = new URL(node.address);
    // A wire-tap of a good caller.
    const seen: Buffer[] = [];
    const tap = createTcpServer((client) => {
      const upstream = connectTcp(Number(port), '127.0.0.1');
      client
        .on('data', (chunk: Buffer) => seen.push(chunk))
        .pipe(upstream)
        .pipe(client);
      client.on('error', () => {});
      upstream.on('error', () => {});
    });
    await new Promise<void>((resolve) => tap.listen(0, '127.0.0.1', resolve));
    closers.push(() => tap.close());
    expect(await ask(`http://127.0.0.1:${(tap.address() as AddressInfo).port}`)).toBe('hello');
    const socket = connectTcp(Number(port), '127.0.0.1', () => socket.write(Buffer.concat(seen)));
    socket.on('error', () => {}).resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(node).toMatchObject({ proven: 1, refused: 1 });
  });

  test('opens over TLS with a certificate that no authority has signed', async () => {
    const node = await callee(KEY, certificate());
    expect(await ask(node.address)).toBe('hello');
  });

  test('does not open over TLS through a machine in the middle', async () => {
    const node = await callee(KEY, certificate());
    const { port } = new URL(node.address);
    const middle = createTlsServer(certificate(), (client) => {
      const upstream = connectTls({ port: Number(port), rejectUnauthorized: false });
      client.pipe(upstream).pipe(client);
      client.on('error', () => {});
      upstream.on('error', () => {});
    });
    await new Promise<void>((resolve) => middle.listen(0, '127.0.0.1', resolve));
    closers.push(() => middle.close());
    const address = `https://127.0.0.1:${(middle.address() as AddressInfo).port}`;
    await expect(ask(address)).rejects.toThrow('does not know the fleet key');
    expect(node.proven).toBe(0);
  });

  test('fails at once where the node takes no peers, and in time where none answers', async () => {
    const plain = createServer((_request, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    closers.push(() => plain.close());
    const { port } = plain.address() as AddressInfo;
    await expect(ask(`http://127.0.0.1:${port}`)).rejects.toThrow('takes no peers');
    const silent = createTcpServer((socket) => closers.push(() => socket.destroy()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closers.push(() => silent.close());
    const address = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    await expect(openLink(address, { key: KEY }, 50)).rejects.toThrow('did not answer in time');
  });
});
