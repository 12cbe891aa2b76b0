/** A draining node, with open connections and new ones. */
import { Agent, request as httpRequest } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BODY, HEAD, held, raw, startSocketFace } from '../testing/http-sockets.ts';

describe('draining', () => {
  test('finishes what is in flight, then closes its connection', async () => {
    const { port, inference, gateway } = await startSocketFace();
    const { arrived, release } = held(inference);
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n${BODY}`);
    await arrived;
    const drained = gateway.drain();
    await expect(Promise.race([drained, Promise.resolve('waiting')])).resolves.toBe('waiting');
    release();
    expect(await client.closed).toMatch(/^HTTP\/1\.1 200 [\s\S]*"data":\[1\]/);
    await drained;
  });

  test('closes idle connections at once, and accepts no new ones', async () => {
    const { port, gateway } = await startSocketFace();
    const client = raw(port);
    client.socket.write('GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.until(/"ready":true/);
    await gateway.drain();
    await client.closed;
    const late = raw(port);
    expect(await late.closed).toBe('');
  });

  test('reports that it is not ready while it still answers', async () => {
    const { port, gateway } = await startSocketFace({ drainGraceMs: 300 });
    const client = raw(port);
    client.socket.write('GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.until(/"live":true/);
    const drained = gateway.drain();
    client.socket.write('GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const text = await client.closed;
    expect(text).toMatch(/HTTP\/1\.1 503 [\s\S]*Connection: close[\s\S]*"ready":false/i);
    await drained;
  });

  test('reports that it does not accept', async () => {
    const { port, gateway } = await startSocketFace({ drainGraceMs: 300 });
    const client = raw(port);
    client.socket.write('GET /v2/health/accepting HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.until(/200 [\s\S]*"accepting":true/);
    const drained = gateway.drain();
    client.socket.write('GET /v2/health/accepting HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await client.closed).toMatch(/HTTP\/1\.1 503 [\s\S]*"accepting":false/);
    await drained;
  });

  test('cuts off requests that do not finish', async () => {
    const { port, inference, gateway } = await startSocketFace({ drainTimeoutMs: 100 });
    const { arrived } = held(inference);
    const client = raw(port);
    client.socket.write(`${HEAD}\r\n${BODY}`);
    await arrived;
    await gateway.drain();
    expect(await client.closed).toBe('');
  });

  test('answers every accepted request while clients keep sending', async () => {
    const { port, gateway, inference } = await startSocketFace({ drainGraceMs: 200 });
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    onTestFinished(() => agent.destroy());
    let answered = 0;
    const ask = () =>
      new Promise<boolean>((resolve) => {
        const outgoing = httpRequest(
          { host: '127.0.0.1', port, path: '/v2/models/echo/infer', method: 'POST', agent },
          (response) => {
            response.resume();
            response.on('end', () => {
              answered++;
              resolve(response.statusCode === 200);
            });
          },
        );
        // The node has stopped listening. On a connection that it had answered before, this is a
        // lost request.
        outgoing.on('error', () => resolve(outgoing.reusedSocket));
        outgoing.end(BODY);
      });
    let losses = 0;
    const worker = async () => {
      for (;;) {
        const before = answered;
        if (!(await ask())) return;
        if (answered === before) losses++;
      }
    };
    const workers = Array.from({ length: 8 }, worker);
    await expect.poll(() => answered).toBeGreaterThan(50);
    const drained = gateway.drain();
    await Promise.all(workers);
    await drained;
    expect(losses).toBe(0);
    expect(answered).toBe(inference.requests.length);
  });
});
