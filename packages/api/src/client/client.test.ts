/** The client against a real HTTP server that answers what each test wants. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SkeinError } from '../errors.ts';
import { createClient } from './client.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let url: string;
let answers: Answer[];
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[];

beforeEach(async () => {
  answers = [];
  seen = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      seen.push({ method, url: path, headers, body: Buffer.concat(chunks).toString('latin1') });
      (answers.length > 1 ? answers.shift() : answers[0])?.(request, response);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

const json =
  (status: number, value: unknown, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value));
  };

const refusal = (code: string, retryAfterMs?: number) => ({
  error: 'no',
  code,
  fix: 'fix',
  retryAfterMs,
});

async function failure(promise: Promise<unknown>): Promise<SkeinError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SkeinError) return error;
  throw new Error(`Not a SkeinError: ${String(error)}`);
}

const answer = json(200, { model_name: 'm', model_version: '1', outputs: [] });

describe('management calls', () => {
  it('put each field into the place that the table names', async () => {
    answers = [json(200, { entries: [] })];
    const client = createClient({ url: `${url}/`, key: 'sk_1' });
    await client.deploymentHistory({ name: 'a b', kind: 'scaled', limit: 5 });
    await client.changeSettings({ name: 'a', settings: { threads: 2 } });
    await client.importModel({
      name: 'a',
      metadata: { author: 'ada & co' },
      content: Uint8Array.of(1, 2),
    });
    expect(seen.map(({ method, url: path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/deployments/a%20b/history?kind=scaled&limit=5',
      'PATCH /api/v1/deployments/a',
      'PUT /api/v1/models/a/versions?metadata%5Bauthor%5D=ada+%26+co',
    ]);
    expect(seen[1]?.body).toBe('{"settings":{"threads":2}}');
    expect(seen[2]?.body).toBe('\u0001\u0002');
    expect(seen.every(({ headers }) => headers.authorization === 'Bearer sk_1')).toBe(true);
  });

  it('resolve with undefined when the answer is empty', async () => {
    answers = [(_, response) => response.writeHead(204).end()];
    expect(await createClient({ url }).undeploy({ name: 'a' })).toBeUndefined();
  });

  it('that change something are never retried', async () => {
    answers = [json(503, refusal('NODE_DRAINING', 1))];
    const client = createClient({ url, retry: { attempts: 5 } });
    expect((await failure(client.undeploy({ name: 'a' }))).code).toBe('NODE_DRAINING');
    expect(seen.length).toBe(1);
    await failure(client.getNode());
    expect(seen.length).toBe(6);
  });

  it('end with the signal of the client, unless they are given none', async () => {
    answers = [json(200, { deployments: [] })];
    const client = createClient({ url, signal: AbortSignal.abort() });
    expect((await failure(client.listDeployments())).code).toBe('CANCELLED');
    expect(await client.listDeployments(undefined, { signal: null })).toEqual({ deployments: [] });
    const own = new AbortController();
    expect(await client.listDeployments({}, { signal: own.signal })).toEqual({ deployments: [] });
  });

  it('leave out what is undefined', async () => {
    answers = [json(200, { jobs: [] })];
    const client = createClient({ url });
    await client.listJobs({ limit: 5, queue: undefined });
    await client.deploy({ name: 'a', version: '1', settings: undefined });
    expect(seen[0]?.url).toBe('/api/v1/jobs?limit=5');
    expect(JSON.parse(seen[1]?.body ?? '')).toEqual({ name: 'a', version: '1' });
  });
});

describe('errors', () => {
  it('have the code, the message and the retry time of the node', async () => {
    answers = [json(503, refusal('QUEUE_FULL', 40))];
    const error = await failure(createClient({ url }).getNode());
    expect(error).toMatchObject({ code: 'QUEUE_FULL', message: 'no', retryAfterMs: 40 });
  });

  it('take the retry time from Retry-After when the body has none', async () => {
    answers = [json(503, refusal('QUEUE_FULL'), { 'retry-after': '2' })];
    expect((await failure(createClient({ url }).getNode())).retryAfterMs).toBe(2000);
  });

  it('with a code of a newer node become INTERNAL, with its message', async () => {
    answers = [json(400, refusal('FROM_THE_FUTURE'))];
    const error = await failure(createClient({ url }).getNode());
    expect(error).toMatchObject({ code: 'INTERNAL', message: 'no' });
  });

  it('of a server that is not a node name that as the likely cause', async () => {
    answers = [(_, response) => response.writeHead(502).end('<html>Bad Gateway</html>')];
    expect((await failure(createClient({ url }).getNode())).code).toBe('NODE_UNREACHABLE');
    answers = [(_, response) => response.writeHead(404).end('not found')];
    const error = await failure(createClient({ url }).getNode());
    expect(error).toMatchObject({ code: 'INTERNAL' });
    expect(error.message).toContain('404');
    answers = [(_, response) => response.end('<h1>Welcome</h1>')];
    const page = await failure(createClient({ url }).getNode());
    expect(page).toMatchObject({ code: 'INTERNAL' });
    expect(page.message).toContain('is it a Skein node?');
  });

  it('NODE_UNREACHABLE when nothing listens, with the reason', async () => {
    const gone = createServer();
    await new Promise<void>((resolve) => {
      gone.listen(0, '127.0.0.1', resolve);
    });
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => {
      gone.close(resolve);
    });
    const error = await failure(createClient({ url: `http://127.0.0.1:${port}` }).getNode());
    expect(error.code).toBe('NODE_UNREACHABLE');
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('NODE_UNREACHABLE when the connection breaks within the answer', async () => {
    answers = [
      (_, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{', () => response.destroy());
      },
    ];
    expect((await failure(createClient({ url }).getNode())).code).toBe('NODE_UNREACHABLE');
  });

  it('CANCELLED when the caller aborts, DEADLINE_EXCEEDED when the time is up', async () => {
    const abort = new AbortController();
    answers = [() => abort.abort()];
    const cancelled = createClient({ url }).getNode({}, { signal: abort.signal });
    expect((await failure(cancelled)).code).toBe('CANCELLED');
    answers = [() => {}];
    const late = createClient({ url }).getNode({}, { timeoutMs: 20 });
    expect((await failure(late)).code).toBe('DEADLINE_EXCEEDED');
  });

  it('USAGE for an invalid URL, and KEY_INVALID for a key that no header can carry', async () => {
    expect(() => createClient({ url: 'localhost:4700' })).toThrow(/not the URL of a node/);
    const withPassword = () => createClient({ url: 'http://me:secret@localhost:4700' });
    expect(withPassword).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(withPassword).not.toThrow(/secret/);
    const badKey = await failure(createClient({ url, key: 'sk-a\n' }).getNode());
    expect(badKey.code).toBe('KEY_INVALID');
  });
});

describe('infer', () => {
  it('sends the node the deadline and the path', async () => {
    answers = [answer];
    const client = createClient({ url });
    await client.infer('m', {}, { timeoutMs: 5000, version: '2', headers: { 'x-user': 'ada' } });
    expect(seen[0]?.url).toBe('/v2/models/m/versions/2/infer');
    expect(seen[0]?.headers['x-user']).toBe('ada');
    const left = Number(seen[0]?.headers['skein-timeout-ms']);
    expect(left).toBeGreaterThan(1000);
    expect(left).toBeLessThanOrEqual(5000);
    await client.infer('m', {});
    expect(seen[1]?.headers['skein-timeout-ms']).toBeUndefined();
  });

  it('is tried once by default, and up to the allowed number of times with retries', async () => {
    answers = [json(503, refusal('QUEUE_FULL', 1)), json(503, refusal('NO_REPLICA', 1)), answer];
    await failure(createClient({ url }).infer('m', {}));
    expect(seen.length).toBe(1);
    const result = await createClient({ url, retry: {} }).infer('m', {});
    expect(result.version).toBe('1');
    expect(seen.length).toBe(3);
  });

  it('does not wait beyond its deadline', async () => {
    answers = [json(503, refusal('QUEUE_FULL', 60_000)), answer];
    const call = createClient({ url, retry: {} }).infer('m', {}, { timeoutMs: 10_000 });
    expect((await failure(call)).code).toBe('QUEUE_FULL');
    expect(seen.length).toBe(1);
  });

  it('sends less time with each try', async () => {
    answers = [json(503, refusal('QUEUE_FULL', 30)), answer];
    await createClient({ url, retry: {} }).infer('m', {}, { timeoutMs: 5000 });
    const [first = 0, second = 0] = seen.map(({ headers }) => Number(headers['skein-timeout-ms']));
    expect(first - second).toBeGreaterThanOrEqual(29);
  });
});

describe('events', () => {
  const stream =
    (...texts: string[]): Answer =>
    (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(texts.join(''));
    };

  it('resume after the last event when the stream breaks', async () => {
    answers = [
      stream('retry: 1\n\nid: 4\nevent: history\ndata: {"id":4}\n\n'),
      json(503, refusal('NODE_DRAINING')),
      stream('id: 5\nevent: history\ndata: {"id":5}\n\n'),
    ];
    const ids: unknown[] = [];
    for await (const event of createClient({ url }).events({ lastEventId: 3 })) {
      ids.push((event.data as { id: number }).id);
      if (ids.length === 2) break;
    }
    expect(ids).toEqual([4, 5]);
    expect(seen.map(({ headers }) => headers['last-event-id'])).toEqual(['3', '4', '4']);
  });

  it('end when the signal aborts, and throw errors that a retry cannot fix', async () => {
    const abort = new AbortController();
    answers = [
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('event: undeployed\ndata: {"name":"a"}\n\n');
      },
    ];
    for await (const event of createClient({ url }).events({ signal: abort.signal })) {
      expect(event).toEqual({ type: 'undeployed', data: { name: 'a' } });
      abort.abort();
    }
    answers = [json(401, refusal('KEY_INVALID'))];
    const next = createClient({ url }).events().next();
    expect((await failure(next)).code).toBe('KEY_INVALID');
  });

  it('close the connection when the consumer stops', async () => {
    const closed = Promise.withResolvers<void>();
    answers = [
      (_, response) => {
        response.on('close', () => closed.resolve());
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('event: undeployed\ndata: {"name":"a"}\n\n');
      },
    ];
    for await (const _ of createClient({ url }).events()) break;
    await expect(closed.promise).resolves.toBeUndefined();
  });
});
