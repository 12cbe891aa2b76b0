/** The proxy over real sockets, with a hostile guest. The test resolves names itself. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AllowList } from './allow-list.ts';
import { isOwnOrNeighbour, type Interfaces } from './own-address.ts';
import { Proxy, type ProxyOptions } from './proxy.ts';

let upstream: Server;
let upstreamPort: number;
/** The bytes that the listed server received, by connection. */
let received: Promise<string>[];
const closers: (() => void)[] = [];

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

beforeEach(async () => {
  received = [];
  upstream = createServer((socket) => {
    socket.on('error', () => undefined);
    received.push(text(socket).catch(() => 'broken'));
    socket.write('hello ');
    socket.once('data', () => socket.end('and goodbye'));
  });
  upstreamPort = await listening(upstream);
});
afterEach(() => {
  for (const close of closers.splice(0).toReversed()) close();
});

interface Gate {
  readonly proxy: Proxy;
  readonly reports: string[];
  /** A connection of a guest. */
  readonly dial: () => Socket;
  /** Everything that the proxy answers to these bytes. */
  readonly ask: (bytes: string) => Promise<string>;
}

async function gate(allow: readonly string[], options: Partial<ProxyOptions> = {}): Promise<Gate> {
  const reports: string[] = [];
  const proxy = new Proxy({
    allow: new AllowList(allow),
    trusted: true,
    report: (what) => reports.push(what),
    ...options,
  });
  const server = createServer((client) => proxy.serve(client));
  const port = await listening(server);
  closers.push(() => proxy.close());
  const dial = (): Socket => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    return socket;
  };
  return {
    proxy,
    reports,
    dial,
    async ask(bytes) {
      const socket = dial();
      socket.write(bytes);
      return await text(socket).catch(() => 'broken');
    },
  };
}

const tunnel = (at: string, then = ''): string => `CONNECT ${at} HTTP/1.1\r\n\r\n${then}`;

describe('a proxy', () => {
  test('connects both ends, and forwards bytes that came with the request', async () => {
    const at = `127.0.0.1:${upstreamPort}`;
    const { ask, reports } = await gate([at]);
    expect(await ask(tunnel(at, 'mine'))).toBe(
      'HTTP/1.1 200 Connection established\r\n\r\nhello and goodbye',
    );
    expect(await Promise.all(received)).toEqual(['mine']);
    expect(reports).toEqual([]);
  });

  test('compares names as they are written, but for their case', async () => {
    const { ask } = await gate([`LocalHost:${upstreamPort}`], {
      lookup: async () => await Promise.resolve(['127.0.0.1']),
    });
    expect(await ask(tunnel(`LOCALHOST:${upstreamPort}`, 'x'))).toContain('goodbye');
    for (const host of ['localhost.', '127.0.0.1', '127.1', 'localhost%00', '2130706433']) {
      expect(await ask(tunnel(`${host}:${upstreamPort}`)), host).toMatch(/^HTTP\/1\.1 403 /);
    }
    expect(received).toHaveLength(1);
  });

  test('never follows a name to an address that is not public, whatever it resolved to before', async () => {
    const answers = [['127.0.0.1'], ['::1', '10.0.0.1'], ['169.254.169.254'], []];
    let asked = 0;
    const at = `rebound.example:${upstreamPort}`;
    const { ask, reports } = await gate([at], {
      lookup: async () => await Promise.resolve(answers[asked++] ?? []),
    });
    for (const [index] of answers.entries()) {
      expect(await ask(tunnel(at)), String(index)).toMatch(/^HTTP\/1\.1 403 /);
    }
    expect(reports[0]).toContain('resolves to no public address (127.0.0.1)');
    expect(received).toEqual([]);
  });

  test('leads to no address of this machine or its neighbours, however it is listed', async () => {
    const interfaces = (): Interfaces => ({
      eth0: [
        { address: '9.9.9.9', cidr: '9.9.9.9/24', family: 'IPv4' },
        { address: '2620:fe::9', cidr: '2620:fe::9/64', family: 'IPv6' },
      ] as NetworkInterfaceInfo[],
    });
    const answers = ['9.9.9.9', '9.9.9.200', '2620:fe::9', '2620:fe::1234'];
    for (const address of answers) {
      const { ask, reports } = await gate([`own.example:${upstreamPort}`, `9.9.9.9:80`], {
        trusted: false,
        interfaces,
        lookup: async (host) => await Promise.resolve([host === '9.9.9.9' ? host : address]),
      });
      for (const at of [`own.example:${upstreamPort}`, '9.9.9.9:80']) {
        expect(await ask(tunnel(at)), at).toMatch(/^HTTP\/1\.1 403 .*this machine or a neighbour/s);
      }
      expect(reports).toHaveLength(2);
    }
    expect(isOwnOrNeighbour('9.9.10.1', interfaces())).toBe(false);
    expect(isOwnOrNeighbour('2620:fe:1::', interfaces())).toBe(false);
    // Trusted work that lists the numeric address may use it; here no server listens.
    const { ask } = await gate(['9.9.9.9:80'], {
      interfaces,
      lookup: async () => await Promise.resolve(['127.0.0.1']),
      bounds: { connectMs: 2000 },
    });
    expect(await ask(tunnel('9.9.9.9:80'))).toMatch(/^HTTP\/1\.1 502 /);
  });

  // A network of its own, with an address on an interface and a range that no interface shows.
  test.runIf(process.getuid?.() === 0 && existsSync('/usr/sbin/ip'))(
    'closes a connection to this machine, also when no interface has the address',
    async () => {
      const script = [
        'ip link set lo up',
        'ip addr add 9.9.9.9/32 dev lo',
        'ip route add local 8.8.0.0/16 dev lo',
        'exec "$0" "$@"',
      ].join(' && ');
      const main = join(import.meta.dirname, 'testing/own-network.ts');
      const words = ['--net', 'sh', '-c', script, process.execPath, main, '9.9.9.9', '8.8.1.2'];
      const { stdout } = await promisify(execFile)('unshare', words, { encoding: 'utf8' });
      const { answers, bytes } = JSON.parse(stdout) as { answers: string[]; bytes: number };
      expect(answers[0]).toContain('is this machine or a neighbour of it (9.9.9.9)');
      expect(answers[1]).toContain('it is on this machine');
      expect(bytes).toBe(0);
    },
  );

  test('resolves a name once for a connection', async () => {
    let asked = 0;
    const { ask } = await gate([`localhost:${upstreamPort}`], {
      lookup: async () => await Promise.resolve(asked++ === 0 ? ['127.0.0.1'] : ['127.0.0.2']),
    });
    expect(await ask(tunnel(`localhost:${upstreamPort}`, 'x'))).toContain('goodbye');
    expect(asked).toBe(1);
  });

  test('reports names that it could not resolve or reach', async () => {
    const gone = createServer();
    const port = await listening(gone);
    await new Promise((resolve) => gone.close(resolve));
    const { ask } = await gate([`127.0.0.1:${port}`, 'nowhere.example:1'], {
      lookup: async (host) =>
        host === '127.0.0.1'
          ? await Promise.resolve([host])
          : await Promise.reject(new Error('no such name')),
    });
    expect(await ask(tunnel(`127.0.0.1:${port}`))).toMatch(/^HTTP\/1\.1 502 .*ECONNREFUSED/s);
    expect(await ask(tunnel('nowhere.example:1'))).toMatch(/^HTTP\/1\.1 502 .*no such name/s);
  });

  test('answers invalid requests', async () => {
    const { ask } = await gate([]);
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\r\n\r\n', '\0\xff\r\n\r\n']) {
      expect(await ask(bytes), JSON.stringify(bytes)).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(await ask('x'.repeat(20_000))).toMatch(/^HTTP\/1\.1 400 .*too long/s);
  });
});

describe('a guest', () => {
  test('that continues to send after a refusal is disconnected', async () => {
    const { dial } = await gate([]);
    const socket = dial();
    socket.resume();
    const sending = setInterval(() => socket.write('x'.repeat(1000)), 20);
    closers.push(() => clearInterval(sending));
    socket.write('x'.repeat(20_000));
    await expect(once(socket, 'close')).resolves.toBeDefined();
  });

  test('that sends nothing is disconnected', async () => {
    const { dial } = await gate([], { bounds: { headMs: 20 } });
    const socket = dial();
    expect(await text(socket)).toBe('');
  });

  test('has a bounded number of connections at once', async () => {
    const { ask, dial } = await gate([], { bounds: { connectionsAtOnce: 2 } });
    const waiting = [dial(), dial()];
    await Promise.all(waiting.map((socket) => once(socket, 'connect')));
    await expect.poll(() => ask(tunnel('a:1'))).toMatch(/^HTTP\/1\.1 503 /);
    for (const socket of waiting) socket.destroy();
    await expect.poll(() => ask(tunnel('a:1'))).toMatch(/^HTTP\/1\.1 403 /);
  });

  test('has a bounded number of bytes in a session, in both directions together', async () => {
    const at = `127.0.0.1:${upstreamPort}`;
    const { ask, proxy, reports } = await gate([at], { bounds: { bytes: 10_000 } });
    expect(await ask(tunnel(at, 'few'))).toContain('goodbye');
    const flood = await ask(tunnel(at, 'x'.repeat(20_000)));
    expect(flood).not.toContain('goodbye');
    await proxy.ended;
    expect(reports).toEqual(['The network is closed to this session: more than 10000 bytes.']);
    expect(await ask(tunnel(at, 'few'))).not.toContain('HTTP');
  });

  test('that is refused repeatedly is no longer served, and only a few refusals are reported', async () => {
    const { ask, proxy, reports } = await gate([], { bounds: { refusals: 50 } });
    for (let count = 0; count < 50; count++) await ask(tunnel('a:1'));
    await proxy.ended;
    expect(reports).toHaveLength(21);
    expect(reports.at(-1)).toBe('The network is closed to this session: 50 refusals.');
  });

  test('has a bounded number of connections in a session', async () => {
    const { ask, proxy, reports } = await gate([], { bounds: { connections: 3 } });
    for (let count = 0; count < 3; count++) {
      expect(await ask(tunnel('a:1'))).toMatch(/^HTTP\/1\.1 403 /);
    }
    expect(await ask(tunnel('a:1'))).not.toContain('HTTP');
    await proxy.ended;
    expect(reports.at(-1)).toContain('more than 3 connections');
  });

  test('that disconnects ends its connection to the server', async () => {
    const at = `127.0.0.1:${upstreamPort}`;
    const { dial } = await gate([at]);
    const socket = dial();
    socket.write(tunnel(at));
    await once(socket, 'data');
    socket.destroy();
    await expect.poll(() => received.length).toBe(1);
    await received[0];
  });
});
