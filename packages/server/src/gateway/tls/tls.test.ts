/** Both faces over TLS, with real certificates and third-party clients. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, type RequestOptions } from 'node:https';
import { connect as connectPlainly } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { strictLogger } from '../../testing/fake-inference.ts';
import { openCertificates } from '../../../../http/src/tls/certificates.ts';
import {
  createAuthority,
  temporaryFolder,
  type Issued,
} from '../../../../http/src/tls/testing/authority.ts';
import { startSecureFaces } from './testing/secure-faces.ts';

const run = promisify(execFile);
const openssl = requireComponent('openssl');
const curl = requireComponent('curl');
const grpcio = requireComponent('python3-grpcio');

/** Calls ServerLive, whose request is empty: TARGET CA [CERTIFICATE KEY]. */
const PYTHON_CLIENT = `
import grpc, sys
read = lambda path: open(path, "rb").read()
target, ca, *own = sys.argv[1:]
own = dict(zip(("certificate_chain", "private_key"), map(read, own)))
channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(read(ca), **own))
same = lambda message: message
live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive", same, same)
print(live(b"", timeout=10).hex())
`;

const pair = ({ certificate, key }: Issued) => ({
  cert: readFileSync(certificate),
  key: readFileSync(key),
});

describe.skipIf(openssl.skip)('TLS', () => {
  test.skipIf(curl.skip)('answers curl over HTTP/1.1, even if it offers HTTP/2', async () => {
    const { http, authority } = await startSecureFaces();
    const url = `https://localhost:${http.port}/v2/health/live`;
    const shown = ' %{http_version} %{scheme}';
    const options = ['-sS', '--http2', '--cacert', authority.certificate, '-w', shown];
    const { stdout } = await run('curl', [...options, url]);
    expect(stdout.toLowerCase()).toBe('{"live":true} 1.1 https');
  });

  test.skipIf(grpcio.skip)('answers gRPC clients of both languages', async () => {
    const { grpc, authority, live } = await startSecureFaces();
    expect(await live()).toBe(true);
    const target = `127.0.0.1:${grpc.port}`;
    const python = ['-c', PYTHON_CLIENT, target, authority.certificate];
    expect((await run('/usr/bin/python3', python)).stdout.trim()).toBe('0801');
  });

  test('refuses TLS 1.1 and ciphers without forward secrecy', async () => {
    const { http, grpc, handshake } = await startSecureFaces();
    for (const { port } of [http, grpc]) {
      const alpn = port === grpc.port ? { ALPNProtocols: ['h2'] } : {};
      const weak = { ...alpn, minVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
      await expect(handshake(port, { ...weak, maxVersion: 'TLSv1.1' })).rejects.toThrow(
        /alert protocol version|EPROTO/,
      );
      await expect(
        handshake(port, { ...weak, maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:@SECLEVEL=0' }),
      ).rejects.toThrow(/handshake failure/);
      const plain = await handshake(port, { ...alpn, maxVersion: 'TLSv1.2' });
      expect(plain.getProtocol()).toBe('TLSv1.2');
      const again = new Promise<Error | null>((resolve) => {
        plain.once('error', resolve);
        plain.renegotiate({}, resolve);
      });
      expect((await again)?.message).toMatch(/no renegotiation/i);
      expect((await handshake(port, alpn)).getProtocol()).toBe('TLSv1.3');
    }
  });

  test('closes a connection that speaks plain text, and serves the next one', async () => {
    const { http, grpc, get, live } = await startSecureFaces();
    for (const [port, hello] of [
      [http.port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
      [grpc.port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
      [http.port, Buffer.alloc(70_000, 0x16)],
    ] as const) {
      const socket = connectPlainly(port, '127.0.0.1');
      socket.on('error', () => {});
      let answer = '';
      socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
      socket.write(hello);
      await new Promise((resolve) => socket.once('close', resolve));
      expect(answer).not.toContain('HTTP');
    }
    expect((await get()).body).toBe('{"live":true}');
    expect(await live()).toBe(true);
  });

  test('closes incomplete handshakes', { timeout: 30_000 }, async () => {
    const { http, grpc } = await startSecureFaces();
    const sockets = [http.port, grpc.port].map((port) => connectPlainly(port, '127.0.0.1'));
    await Promise.all(
      sockets.map(async (socket) => {
        socket.on('error', () => {});
        // The beginning of a client's hello of 512 bytes.
        socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1]));
        socket.resume();
        await new Promise((resolve) => socket.once('close', resolve));
      }),
    );
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });

  test('a connection that is silent after its handshake does not delay the drain', async () => {
    const { http, handshake } = await startSecureFaces();
    await handshake(http.port);
    // Otherwise the drain would last until it cuts off the rest, after 5 s.
    const late = once(AbortSignal.timeout(4000), 'abort').then(() => 'late');
    const drained = http.gateway.drain().then(() => 'drained');
    expect(await Promise.race([drained, late])).toBe('drained');
  });
});

describe.skipIf(openssl.skip)('a new certificate', () => {
  test('is served without a failed request, and open connections stay', async () => {
    const { authority, replace, certificates, get, live } = await startSecureFaces();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const before = await get({ agent });
    const serials = new Set<string>();
    let done = false;
    const hammer = async (ask: () => Promise<unknown>): Promise<number> => {
      let asked = 0;
      for (; !done; asked++) await ask();
      return asked;
    };
    const clients = [
      hammer(async () => serials.add((await get()).serial)),
      hammer(async () => serials.add((await get()).serial)),
      hammer(() => live()),
    ];
    for (const name of ['second', 'third', 'fourth']) {
      replace(authority.issue(name));
      await certificates.reload();
      const { serial } = await get();
      await expect.poll(() => serials.has(serial)).toBe(true);
    }
    done = true;
    for (const asked of await Promise.all(clients)) expect(asked).toBeGreaterThan(3);
    expect(serials.size).toBeGreaterThanOrEqual(3);
    const after = await get({ agent });
    expect(after.serial).toBe(before.serial);
    expect((await get()).serial).not.toBe(before.serial);
  });

  test('that cannot be served changes nothing, and the log gives the reason, once', async () => {
    const { authority, folder, files, replace, warnings, certificates, get, live, metric } =
      await startSecureFaces();
    const before = await get();
    const expiry = metric('skein_tls_certificate_expiry_seconds');
    const other = createAuthority(folder, 'other');
    const attempts: [() => void, RegExp][] = [
      [() => replace(authority.issue('old', { ends: '20210101000000Z' })), /has expired on/],
      [() => writeFileSync(files.certificate, 'garbage'), /no certificate in PEM/],
      [() => replace({ ...authority.issue('fifth'), key: other.key }), /does not belong/],
      [() => writeFileSync(files.key, 'garbage'), /private key cannot be read/],
      [() => renameSync(files.key, `${files.key}.away`), /cannot be read \(ENOENT\)/],
    ];
    for (const [spoil, reason] of attempts) {
      warnings.length = 0;
      spoil();
      await certificates.reload();
      await certificates.reload();
      expect(warnings).toEqual([expect.stringMatching(reason)]);
      expect(await get()).toEqual(before);
      expect(await live()).toBe(true);
    }
    expect(metric('skein_tls_certificate_expiry_seconds')).toBe(expiry);
    expect(metric('skein_tls_reloads_total{result="refused"}')).toBe(attempts.length);
    replace(authority.issue('sixth'));
    await certificates.reload();
    expect((await get()).serial).not.toBe(before.serial);
    expect(metric('skein_tls_reloads_total{result="loaded"}')).toBe(1);
  });

  test('is found if a symbolic link is swapped, as Kubernetes mounts secrets', async () => {
    const folder = temporaryFolder();
    const authority = createAuthority(folder, 'ca');
    const version = (name: string): void => {
      const { certificate, key } = authority.issue(name);
      mkdirSync(join(folder, name));
      cpSync(certificate, join(folder, name, 'tls.crt'));
      cpSync(key, join(folder, name, 'tls.key'));
      symlinkSync(name, join(folder, 'data.new'));
      renameSync(join(folder, 'data.new'), join(folder, 'data'));
    };
    version('one');
    const files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    symlinkSync('data/tls.crt', files.certificate);
    symlinkSync('data/tls.key', files.key);
    const certificates = await openCertificates(files, strictLogger);
    onTestFinished(() => certificates.close());
    const before = certificates.current.certificate;
    version('two');
    await expect.poll(() => certificates.current.certificate).not.toBe(before);
  });

  test('is read on SIGHUP', async () => {
    const { authority, replace, certificates } = await startSecureFaces();
    const before = certificates.current.certificate;
    replace(authority.issue('second'));
    process.emit('SIGHUP');
    // The next read waits for the one that the signal started, and finds no change.
    await certificates.reload();
    expect(certificates.current.certificate).not.toBe(before);
  });
});

describe.skipIf(openssl.skip)('mutual TLS', () => {
  test('admits a certificate of its authorities and nothing else, on both faces', async () => {
    const { authority, folder, get, live, grpc } = await startSecureFaces({ mutual: true });
    const friend = authority.issue('friend', { san: 'DNS:friend' });
    const stranger = createAuthority(folder, 'strangers').issue('stranger');
    const late = authority.issue('late', { ends: '20210101000000Z' });
    expect((await get(pair(friend))).body).toBe('{"live":true}');
    expect(await live(pair(friend))).toBe(true);
    const target = `127.0.0.1:${grpc.port}`;
    const python = (own: Issued) =>
      run(
        '/usr/bin/python3',
        ['-c', PYTHON_CLIENT, target, authority.certificate].concat(own.certificate, own.key),
      );
    if (!grpcio.skip) expect((await python(friend)).stdout.trim()).toBe('0801');

    await expect(get()).rejects.toThrow(/certificate required|ECONNRESET|EPIPE|hang up/);
    await expect(get(pair(stranger))).rejects.toThrow(/unknown ca|ECONNRESET|EPIPE|hang up/);
    await expect(get(pair(late))).rejects.toThrow(/expired|ECONNRESET|EPIPE|hang up/);
    await expect(live()).rejects.toThrow(/UNAVAILABLE/);
    await expect(live(pair(stranger))).rejects.toThrow(/UNAVAILABLE/);
    if (!grpcio.skip) await expect(python(stranger)).rejects.toThrow(/UNAVAILABLE/);
  });

  test('a session ticket admits only as long as its authority does', async () => {
    const { authority, folder, certificates, handshake, get, http } = await startSecureFaces({
      mutual: true,
    });
    const friend = pair(authority.issue('friend'));
    const first = await handshake(http.port, friend);
    const [session] = await once(first, 'session');
    const again = await handshake(http.port, { ...friend, session });
    expect(again.isSessionReused()).toBe(true);

    const next = createAuthority(folder, 'next');
    cpSync(next.certificate, join(folder, 'clients.pem'));
    await certificates.reload();
    await expect(get({ ...friend, session } as RequestOptions)).rejects.toThrow(
      /unknown ca|ECONNRESET|EPIPE|hang up/,
    );
    expect((await get(pair(next.issue('friend')))).body).toBe('{"live":true}');
  });
});
