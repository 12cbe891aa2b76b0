/** Slow uploads, over real sockets. */
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { bodyBudget } from '@skein/http';
import { onnxFile, startManagement } from './testing/start-management.ts';

const PATHS = ['PUT /api/v1/models/slow/versions', 'PUT /api/v1/artifacts'];

async function startSlow() {
  const bodies = bodyBudget(2 ** 20);
  const node = await startManagement({
    limits: { bodyTimeoutMs: 300, minUploadBytesPerSecond: 1000 },
    bodies,
  });
  onTestFinished(() => node.close());
  return { node, bodies, port: Number(new URL(node.url).port) };
}

/** Sends the head of a request, then pieces; resolves with all received data. */
async function trickle(port: number, head: string, piece: Uint8Array, everyMs: number) {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(`${head} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const timer = setInterval(() => {
    socket.write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    socket.write('\r\n');
  }, everyMs);
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  await new Promise<void>((resolve) => {
    socket.on('data', () => received.includes('"code"') && resolve());
    socket.once('close', () => resolve());
  });
  clearInterval(timer);
  return received;
}

it.each(PATHS)('%s: one that never stops and never gets on is given up', async (head) => {
  const { port, bodies, node } = await startSlow();
  const text = await trickle(port, head, new Uint8Array(1), 20);
  expect(text).toMatch(/^HTTP\/1\.1 408 [\s\S]*BODY_TOO_SLOW/);
  expect(bodies.held).toBe(0);
  expect(await node.registry.versions()).toEqual([]);
});

it('an upload above the minimum rate may take longer than one timeout', async () => {
  const { port, node } = await startSlow();
  const file = onnxFile(3);
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(
    `PUT /api/v1/models/steady/versions HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  // 2,000 bytes per second, twice the minimum, for more than two timeouts.
  const parts = 8;
  const size = Math.ceil(file.length / parts);
  for (let part = 0; part < parts; part++) {
    const piece = file.subarray(part * size, (part + 1) * size);
    socket.write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    socket.write('\r\n');
    await new Promise((resolve) => setTimeout(resolve, Math.min(200, size / 2)));
  }
  socket.write('0\r\n\r\n');
  const text = await new Promise<string>((resolve) => {
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString();
      if (received.includes('}')) resolve(received);
    });
  });
  expect(text).toMatch(/^HTTP\/1\.1 201 /);
  expect(await node.registry.versions()).toHaveLength(1);
});

it('uploads and JSON bodies of management count towards the bodies in flight', async () => {
  const { port, bodies } = await startSlow();
  const upload = trickle(port, PATHS[1]!, new Uint8Array(1), 20);
  await expect.poll(() => bodies.held).toBe(256 * 1024);
  const json = connect(port, '127.0.0.1');
  onTestFinished(() => void json.destroy());
  json.write(
    'POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n{"jobs":[',
  );
  await expect.poll(() => bodies.held).toBe(256 * 1024 + 9);
  await upload;
  json.destroy();
  await expect.poll(() => bodies.held).toBe(0);
});

it('a file with a Content-Encoding is refused, since it would be stored compressed', async () => {
  const { node } = await startSlow();
  const response = await fetch(`${node.url}/api/v1/artifacts`, {
    method: 'PUT',
    headers: { 'content-encoding': 'gzip' },
    body: new Uint8Array(10),
  });
  expect(response.status).toBe(415);
  expect(await response.text()).toContain('ENCODING_UNSUPPORTED');
});
