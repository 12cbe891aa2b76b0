/**
 * An address list, with the drivers that claim to enforce one: listed addresses are reached, and no
 * other by any way that a guest could try.
 */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SandboxSession } from '../contract.ts';
import { forEachDriver, MEBIBYTE } from '../testing/every-driver.ts';

/** Asks for each URL in argv, and prints its status or the error's kind. */
const FETCH = `
import sys, urllib.request, urllib.error
for url in sys.argv[1:]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer: print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error: print(error.code, error.read().decode().strip())
    except OSError as error: print(type(error).__name__)
`;
/** Sends argv[1] to the proxy, then argv[2] if it was accepted, and prints the answers. */
const TALK = `
import socket, sys
first, then = (text.encode().decode('unicode_escape').encode() for text in sys.argv[1:])
with socket.create_connection(('127.0.0.1', 3128), timeout=20) as proxy:
    proxy.sendall(first)
    reply = proxy.recv(4096)
    if b' 200 ' in reply:
        proxy.sendall(then)
    while part := proxy.recv(4096): reply += part
print(reply.decode())
`;
/** Tries every way around the proxy to port argv[1] of this machine, and to the rest of the world. */
const AROUND = `
import socket, sys, os
port = int(sys.argv[1])
ways = 0
def way(name, attempt):
    global ways
    try: attempt()
    except OSError: return
    ways += 1
    print('ESCAPED by', name)
for address in ('10.0.2.2', '172.17.0.1', '192.168.0.1', '169.254.169.254', '1.1.1.1'):
    way(address, lambda: socket.create_connection((address, port), timeout=1))
    way('a datagram', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', (address, 53)))
way('loopback', lambda: socket.create_connection(('127.0.0.1', port), timeout=1))
way('IPv6', lambda: socket.create_connection(('2606:4700:4700::1111', 443), timeout=1))
way('a name', lambda: socket.getaddrinfo('example.org', 443))
way('a socket of packets', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
way('a raw socket', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
print(ways)
`;

/** Fills connections that are never read: those to the proxy, and any that can be made without it. */
const HOARD = `
import errno, os, socket
def queued():
    with open('/proc/net/tcp') as file: rows = file.read().splitlines()[1:]
    return sum(int(part, 16) for row in rows for part in row.split()[4].split(':'))
held, block, most = [], b'x' * 65536, 0
for make in (lambda: socket.socket(), lambda: socket.socket(socket.AF_INET6), lambda: socket.socket(type=socket.SOCK_DGRAM)):
    try: server = make()
    except OSError: continue
    for act in (lambda: server.bind(('127.0.0.1', 0)), lambda: server.listen(500)):
        try: act()
        except PermissionError: continue
        print('ESCAPED: serves')
for _ in range(150):
    try: end = socket.socket()
    except OSError: break
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
    end.settimeout(0.2)
    try: end.connect(('127.0.0.1', 3128))
    except OSError: continue
    held.append(end)
    end.setblocking(False)
    try:
        while True: end.send(block)
    except OSError: pass
    most = max(most, queued())
print(most)
`;

forEachDriver((here) => {
  describe.runIf(here.lists)('a list of addresses', () => {
    const { options } = here;
    let listed: Server;
    let other: Server;
    let visitors = 0;
    const reports: string[] = [];
    const sessions: SandboxSession[] = [];
    const portOf = (server: Server): number => (server.address() as AddressInfo).port;

    beforeEach(async () => {
      visitors = 0;
      reports.length = 0;
      listed = createServer(({ method, url, headers }, answer) => {
        answer.end(`${method} ${url} of ${headers.host} ${headers['proxy-connection'] ?? ''}`);
      }).listen(0, '127.0.0.1');
      other = createServer().listen(0, '0.0.0.0');
      other.on('connection', (socket) => void (visitors++, socket.destroy()));
      await Promise.all([once(listed, 'listening'), once(other, 'listening')]);
    });
    afterEach(async () => {
      await Promise.all(sessions.splice(0).map((session) => session.close()));
      for (const server of [listed, other]) {
        server.close();
        server.closeAllConnections();
      }
    });

    async function open(allow: readonly string[], untrusted = false): Promise<SandboxSession> {
      const report = (what: string): void => void reports.push(what);
      const session = await here.driver.open({
        ...options,
        network: { allow },
        untrusted,
        report,
      });
      sessions.push(session);
      return session;
    }

    async function python(session: SandboxSession, ...argv: string[]): Promise<string> {
      const { stdout, stderr } = await session.run({
        argv: ['python3', '-c', ...argv],
        workspace: 'read-only',
      });
      return `${Buffer.from(stdout)}${Buffer.from(stderr)}`.trim();
    }

    test('is claimed', async () => {
      expect(await here.driver.availability()).toMatchObject({
        enforcement: { network: { none: true, allowList: true } },
      });
    });

    test('lets plain requests through, as the guest sent them', async () => {
      const at = `127.0.0.1:${portOf(listed)}`;
      const session = await open([at]);
      expect(await python(session, FETCH, `http://${at}/a?b=c`)).toBe(`200 GET /a?b=c of ${at}`);
      expect(reports).toEqual([]);
    });

    test('lets tunnels through', async () => {
      const at = `127.0.0.1:${portOf(listed)}`;
      const session = await open([at]);
      const output = await python(
        session,
        TALK,
        String.raw`CONNECT ${at} HTTP/1.1\r\nHost: ${at}\r\n\r\n`,
        String.raw`GET /inside HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n\r\n`,
      );
      expect(output).toMatch(/^HTTP\/1\.1 200 Connection established/);
      expect(output).toContain(`GET /inside of ${at}`);
    });

    test('refuses everything else, and reports it to the guest and to the caller', async () => {
      const session = await open([`127.0.0.1:${portOf(listed)}`]);
      const forbidden = `127.0.0.1:${portOf(other)}`;
      const tricks = [`0x7f.1:${portOf(other)}`, `localhost:${portOf(other)}`, 'example.org:80'];
      const urls = [forbidden, ...tricks].map((at) => `http://${at}/`);
      const lines = (await python(session, FETCH, ...urls)).split('\n');
      expect(lines).toHaveLength(urls.length);
      for (const line of lines) expect(line).toMatch(/^403 ".*" is not on the list of addresses$/);
      expect(
        await python(session, TALK, String.raw`CONNECT ${forbidden} HTTP/1.1\r\n\r\n`, 'here'),
      ).toMatch(/^HTTP\/1\.1 403 Forbidden/);
      expect(reports).toContain(
        `A connection was refused: "${forbidden}" is not on the list of addresses.`,
      );
      expect(visitors).toBe(0);
    });

    test('leaves no way around the proxy', async () => {
      const session = await open(['example.org:443'], true);
      expect(await python(session, AROUND, String(portOf(other)))).toBe('0');
      expect(visitors).toBe(0);
    });

    test('bounds the memory in the buffers of sockets', async () => {
      const session = await open(['example.org:443'], true);
      // The proxy keeps no connection longer than one whose head never ends.
      const output = await python(session, HOARD);
      expect(output).not.toContain('ESCAPED');
      expect(Number(output)).toBeLessThan(24 * MEBIBYTE);
    });

    test('applies to one session only', async () => {
      const at = `127.0.0.1:${portOf(listed)}`;
      const [session, stranger] = [await open([at]), await open(['example.org:443'], true)];
      expect(await python(session, FETCH, `http://${at}/`)).toMatch(/^200 /);
      const to = String.raw`GET http://${at}/ HTTP/1.1\r\n\r\n`;
      expect(await python(stranger, TALK, to, '')).toMatch(/^HTTP\/1\.1 403 /);
    });

    test('ends with its session', async () => {
      const at = `127.0.0.1:${portOf(listed)}`;
      const session = await open([at]);
      const connected = once(listed, 'connection') as Promise<[Socket]>;
      const hold = String.raw`CONNECT ${at} HTTP/1.1\r\n\r\n`;
      const command = session.start({
        argv: ['python3', '-c', TALK, hold, ''],
        workspace: 'read-only',
      });
      const [socket] = await connected;
      const gone = once(socket, 'close');
      await session.close();
      await gone;
      expect((await command.ended).endedBy).toBe('killed');
    });

    test('of untrusted work reaches no address of this machine or its neighbours', async () => {
      for (const at of ['127.0.0.1:80', 'localhost:80', '10.1.2.3:80', '169.254.169.254:80']) {
        await expect(open([at], true), at).rejects.toMatchObject({ code: 'SANDBOX_UNSUPPORTED' });
      }
      for (const at of ['example.org', 'http://example.org:80', 'a b:1', 'x:0', 'x:65536', ':1']) {
        await expect(open([at]), at).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      }
    });
  });
});
