/** Clients on raw sockets that are slow, invalid, too large, or that disconnect. */
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bodyBudget } from '@skein/http';
import { BODY, HEAD, held, raw, startSocketFace } from '../testing/http-sockets.ts';

describe('slow clients', () => {
  test('headers that trickle are cut off with 408', async () => {
    const { port } = await startSocketFace({ headersTimeoutMs: 200 });
    const client = raw(port);
    client.socket.write('POST /v2/models/echo/infer HTTP/1.1\r\nHost: loc');
    expect(await client.closed).toMatch(/^HTTP\/1\.1 408 [\s\S]*BODY_TOO_SLOW/);
  });

  test('a body that trickles is cut off with 408, and its place is released', async () => {
    const { port, access } = await startSocketFace({ bodyTimeoutMs: 150 });
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n{"inp`);
    const timer = setInterval(() => client.socket.write(' '), 20);
    onTestFinished(() => clearInterval(timer));
    expect(await client.until(/BODY_TOO_SLOW/)).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(timer);
    await client.closed;
    expect(access.inFlight).toBe(0);
  });

  test('a body that never begins is cut off too', async () => {
    const { port } = await startSocketFace({ bodyTimeoutMs: 100 });
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n`);
    expect(await client.closed).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('an unread body of a refused request does not hold the connection', async () => {
    const { port } = await startSocketFace();
    const client = raw(port);
    client.socket.write(`${HEAD.replace('echo', 'none')}\r\n{`);
    expect(await client.closed).toMatch(/^HTTP\/1\.1 404 /);
  });

  test('a body in many pieces within the time is fine', async () => {
    const { port } = await startSocketFace();
    const client = raw(port);
    client.socket.setNoDelay(true);
    client.socket.write(`${HEAD}\r\n`);
    for (const character of BODY) {
      client.socket.write(character);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.until(/"data":\[1\]/)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('many bodies at once', () => {
  const refused = /^HTTP\/1\.1 503 [\s\S]*Retry-After: 1\r\n[\s\S]*BODIES_TOO_LARGE/;

  test('a body that does not fit is refused before it is sent, until the others have been answered', async () => {
    const bodies = bodyBudget(1.5 * BODY.length);
    const { port, inference } = await startSocketFace({}, bodies);
    const { arrived, release } = held(inference);
    const first = raw(port);
    first.socket.write(`${HEAD}\r\n${BODY}`);
    await arrived;
    const second = raw(port);
    second.socket.write(`${HEAD}Expect: 100-continue\r\n\r\n`);
    expect(await second.until(/BODIES_TOO_LARGE/)).toMatch(refused);
    release();
    await first.until(/"data":\[1\]/);
    expect(bodies.held).toBe(0);
    const third = raw(port);
    third.socket.write(`${HEAD}\r\n${BODY}`);
    expect(await third.until(/"data":\[1\]/)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('an announced body refuses no other request, and a body that is too large is refused', async () => {
    const bodies = bodyBudget(1.5 * BODY.length);
    const { port, access } = await startSocketFace({}, bodies);
    const silent = raw(port);
    silent.socket.write(`${HEAD}\r\n`);
    await expect.poll(() => access.inFlight).toBe(1);
    const chunked = raw(port);
    chunked.socket.write(
      'POST /v2/models/echo/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const half = BODY.slice(0, BODY.length / 2);
    const chunk = `${half.length.toString(16)}\r\n${half}\r\n`;
    chunked.socket.write(chunk);
    await expect.poll(() => bodies.held).toBe(half.length);
    chunked.socket.write(chunk + chunk + chunk);
    expect(await chunked.until(/BODIES_TOO_LARGE/)).toMatch(refused);
    silent.socket.write(BODY);
    expect(await silent.until(/"data":\[1\]/)).toMatch(/^HTTP\/1\.1 200 /);
    await expect.poll(() => bodies.held).toBe(0);
  });

  test('a compressed body counts at its decompressed size', async () => {
    const bodies = bodyBudget(2000);
    const { port, inference } = await startSocketFace({}, bodies);
    const { arrived, release } = held(inference);
    const padded = (bytes: number) => BODY.replace('[1]}]', `[1]}${' '.repeat(bytes)}]`);
    const send = (text: string) => {
      const body = gzipSync(text);
      const client = raw(port);
      client.socket.write(
        `${HEAD.replace(/Length: \d+/, `Length: ${body.length}`)}Content-Encoding: gzip\r\n\r\n`,
      );
      client.socket.write(body);
      return client;
    };
    const refusal = send(padded(2500));
    expect(await refusal.until(/BODIES_TOO_LARGE/)).toMatch(refused);
    expect(bodies.held).toBe(0);
    const fitting = send(padded(1500));
    await arrived;
    expect(bodies.held).toBe(padded(1500).length);
    release();
    expect(await fitting.until(/"data":\[1\]/)).toMatch(/^HTTP\/1\.1 200 /);
    expect(bodies.held).toBe(0);
  });

  test.each([
    ['INT64', 400, `[${Array(400).fill(0).join()}]`],
    ['BYTES', 200, `[${Array(200).fill('""').join()}]`],
  ])('%s as JSON counts at its decoded size', async (datatype, count, data) => {
    const bodies = bodyBudget(2000);
    const { port } = await startSocketFace({}, bodies);
    const body = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${count}],"data":${data}}]}`;
    expect(body.length).toBeLessThan(1000);
    const client = raw(port);
    client.socket.write(`${HEAD.replace(/Length: \d+/, `Length: ${body.length}`)}\r\n${body}`);
    expect(await client.until(/BODIES_TOO_LARGE/)).toMatch(refused);
    expect(bodies.held).toBe(0);
  });

  test('a client that disconnects in the middle of its body releases its bytes', async () => {
    const bodies = bodyBudget(2 ** 20);
    const { port } = await startSocketFace({}, bodies);
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n{"inp`);
    await expect.poll(() => bodies.held).toBe(5);
    client.socket.destroy();
    await expect.poll(() => bodies.held).toBe(0);
  });
});

describe('clients that do not read', () => {
  test('hold the budget with their answers until they do, whatever they may hold', async () => {
    const bodies = bodyBudget(2000);
    const { port, inference } = await startSocketFace({}, bodies);
    // More than the system takes.
    const bytes = new Uint8Array(32 * 2 ** 20);
    inference.answer = () => new Map([['y', { type: 'uint8', shape: [bytes.length], bytes }]]);
    const asks = BODY.replace('{', '{"parameters":{"binary_data_output":true},');
    const client = raw(port);
    client.socket.pause();
    client.socket.write(`${HEAD.replace(/Length: \d+/, `Length: ${asks.length}`)}\r\n${asks}`);
    await expect.poll(() => bodies.held).toBeGreaterThan(bytes.length);
    const refused = raw(port);
    refused.socket.write(`${HEAD}\r\n${BODY}`);
    await refused.until(/BODIES_TOO_LARGE/);
    client.socket.resume();
    await expect.poll(() => bodies.held).toBe(0);
  });

  test.each([
    ['binary', true, 20 * 2 ** 20, 30 * 2 ** 20],
    // Six bytes of text for each.
    ['text', false, 6 * 2 ** 20, 80 * 2 ** 20],
  ])('cannot pile up answers in %s', async (_, isBinary, length, max) => {
    const bodies = bodyBudget(max);
    const { port, inference } = await startSocketFace({}, bodies);
    inference.answer = () =>
      new Map([['y', { type: 'bool', shape: [length], bytes: new Uint8Array(length) }]]);
    const asks = BODY.replace('{', `{"parameters":{"binary_data_output":${isBinary}},`);
    const ask = (): ReturnType<typeof raw> => {
      const client = raw(port);
      client.socket.write(`${HEAD.replace(/Length: \d+/, `Length: ${asks.length}`)}\r\n${asks}`);
      return client;
    };
    const first = ask();
    first.socket.pause();
    await expect.poll(() => bodies.held, { timeout: 20_000 }).toBeGreaterThan(max / 2);
    await ask().until(/BODIES_TOO_LARGE/);
    first.socket.resume();
    await expect.poll(() => bodies.held).toBe(0);
    const alone = ask();
    alone.socket.pause();
    await expect.poll(() => bodies.held).toBeGreaterThan(max / 2);
    alone.socket.destroy();
    await expect.poll(() => bodies.held).toBe(0);
  });

  test('lose their connection, and their request ends', async () => {
    const { port, inference, access } = await startSocketFace({ bodyTimeoutMs: 300 });
    const large = new Uint8Array(16 * 2 ** 20);
    inference.answer = () =>
      new Map([['x', { type: 'uint8', shape: [large.length], bytes: large }]]);
    const client = raw(port);
    client.socket.pause();
    const binary = BODY.replace('{"inputs"', '{"parameters":{"binary_data_output":true},"inputs"');
    client.socket.write(`${HEAD.replace(/Length: \d+/, `Length: ${binary.length}`)}\r\n${binary}`);
    // The client keeps writing only while the node keeps the connection open.
    const timer = setInterval(() => client.socket.write('GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n'), 20);
    onTestFinished(() => clearInterval(timer));
    await new Promise((resolve) => client.socket.once('error', resolve));
    expect(access.inFlight).toBe(0);
  });
});

describe('invalid requests', () => {
  test.each([
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01'],
    ['no HTTP', 'hello world\r\n\r\n'],
    ['a bad header', 'GET /v2 HTTP/1.1\r\nHost localhost\r\n\r\n'],
    [
      'two lengths',
      'POST /v2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    ],
    [
      'length and chunks',
      'POST /v2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ])('%s is 400', async (_, text) => {
    const { port } = await startSocketFace();
    const client = raw(port);
    client.socket.write(Buffer.from(text, 'latin1'));
    expect(await client.closed).toMatch(/^HTTP\/1\.1 400 [\s\S]*REQUEST_INVALID/);
  });

  test('invalid chunks are 400 and release the place', async () => {
    const { port, access } = await startSocketFace();
    const client = raw(port);
    client.socket.write(
      'POST /v2/models/echo/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    );
    expect(await client.closed).toMatch(/^HTTP\/1\.1 400 /);
    await expect.poll(() => access.inFlight).toBe(0);
  });

  test('endless headers are 431', async () => {
    const { port } = await startSocketFace();
    const client = raw(port);
    client.socket.write(`GET /v2 HTTP/1.1\r\nX: ${'a'.repeat(20_000)}`);
    expect(await client.closed).toMatch(/^HTTP\/1\.1 431 [\s\S]*HEADERS_TOO_LARGE/);
  });
});

describe('large requests', () => {
  test('a length over the limit is 413 before the body is read', async () => {
    const { port } = await startSocketFace({ maxBodyBytes: 1000 });
    const client = raw(port);
    client.socket.write(
      'POST /v2/models/echo/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n{',
    );
    const answer = await client.until(/BODY_TOO_LARGE/);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/Connection: close/i);
    await client.closed;
  });

  test('chunks over the limit are 413 while they still arrive, and the client can read the answer', async () => {
    const { port } = await startSocketFace({ maxBodyBytes: 100_000 });
    const client = raw(port);
    client.socket.write(
      'POST /v2/models/echo/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const chunk = `${(65_536).toString(16)}\r\n${'x'.repeat(65_536)}\r\n`;
    const sending = setInterval(() => client.socket.write(chunk), 1);
    onTestFinished(() => clearInterval(sending));
    expect(await client.until(/BODY_TOO_LARGE/)).toMatch(/^HTTP\/1\.1 413 /);
    clearInterval(sending);
    await client.closed;
  });

  test('a decompression bomb is 413', async () => {
    const { port } = await startSocketFace({ maxBodyBytes: 100_000 });
    const bomb = gzipSync(Buffer.alloc(50_000_000, 0x20));
    expect(bomb.length).toBeLessThan(100_000);
    const client = raw(port);
    client.socket.write(
      `POST /v2/models/echo/infer HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`,
    );
    client.socket.write(bomb);
    expect(await client.until(/BODY_TOO_LARGE/)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('a short refused body keeps the connection', async () => {
    const { port } = await startSocketFace();
    const client = raw(port);
    client.socket.write(`${HEAD.replace('echo', 'none')}\r\n${BODY}${HEAD}\r\n${BODY}`);
    const both = await client.until(/"data":\[1\]/);
    expect(both.match(/HTTP\/1\.1 (\d+)/g)).toEqual(['HTTP/1.1 404', 'HTTP/1.1 200']);
  });
});

describe('100-continue', () => {
  test('is answered before the body is sent', async () => {
    const { port } = await startSocketFace();
    const client = raw(port);
    client.socket.write(`${HEAD}Expect: 100-continue\r\n\r\n`);
    expect(await client.until(/\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.socket.write(BODY);
    expect(await client.until(/"data":\[1\]/)).toMatch(/100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  test('is not answered when the request is refused anyway', async () => {
    const { port } = await startSocketFace({ maxBodyBytes: 10 });
    const client = raw(port);
    client.socket.write(`${HEAD}Expect: 100-continue\r\n\r\n`);
    expect(await client.closed).toMatch(/^HTTP\/1\.1 413 /);
    const other = raw(port);
    other.socket.write(`${HEAD.replace('echo', 'none')}Expect: 100-continue\r\n\r\n`);
    expect(await other.closed).toMatch(/^HTTP\/1\.1 404 /);
  });
});

describe('clients that disconnect', () => {
  test('a reset after a refused CONNECT ends nothing else', async () => {
    const { port, gateway } = await startSocketFace();
    const client = raw(port);
    client.socket.write('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until(/not a proxy/);
    client.socket.resetAndDestroy();
    // Until then, the error of a socket without a listener would have ended the process.
    await expect(gateway.drain()).resolves.toBeUndefined();
  });

  test('a CONNECT behind another request is not answered in its place', async () => {
    const { port, inference, gateway } = await startSocketFace();
    const { arrived, release } = held(inference);
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n${BODY}CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`);
    await arrived;
    expect(await client.closed).toBe('');
    release();
    await gateway.drain();
  });

  test('a disconnect cancels the request and releases its place', async () => {
    const { port, inference, access } = await startSocketFace();
    const { arrived, release } = held(inference);
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n${BODY}`);
    const { cancellation } = await arrived;
    const cancelled = new Promise<void>((resolve) => {
      cancellation!.onCancel = resolve;
    });
    expect(cancellation!.cancelled).toBe(false);
    client.socket.destroy();
    await cancelled;
    release();
    await expect.poll(() => access.inFlight).toBe(0);
  });

  test('a request whose client disconnects in the middle of the body is not submitted', async () => {
    const { port, inference, access } = await startSocketFace();
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n{"in`);
    await expect.poll(() => access.inFlight).toBe(1);
    client.socket.destroy();
    await expect.poll(() => access.inFlight).toBe(0);
    expect(inference.requests).toHaveLength(0);
  });

  test('a finished request is not cancelled', async () => {
    const { port, inference } = await startSocketFace();
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n${BODY}`);
    await client.until(/"data":\[1\]/);
    client.socket.destroy();
    await client.closed;
    expect(inference.requests[0]!.cancellation!.cancelled).toBe(false);
  });
});
