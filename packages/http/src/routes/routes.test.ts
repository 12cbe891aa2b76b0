/** A service made from a table, over real HTTP: routes, checks, answers, and the order of work. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { SkeinError, type Endpoint, type ErrorBody } from '@skein/api';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { bodyBudget } from '../bodies/body-budget.ts';
import { eventStreamBudget } from '../exchange/event-streams.ts';
import type { Operation } from './routes.ts';
import { serveRoutes, type Service } from './service.ts';

const Note = z.object({ id: z.int(), text: z.string() });
const ofNote = z.strictObject({ id: z.coerce.number<number>().int() });

const ENDPOINTS = {
  listNotes: {
    method: 'GET',
    path: '/notes',
    summary: 'List the notes.',
    scope: 'public',
    query: z.strictObject({ limit: z.coerce.number<number>().int().max(9).default(2) }),
    response: z.object({ notes: z.array(Note) }),
  },
  addNote: {
    method: 'POST',
    path: '/notes',
    summary: 'Add a note.',
    scope: 'user',
    body: z.strictObject({ text: z.string() }),
    maxBodyBytes: 100,
    status: 201,
    response: Note,
    location: '/notes/{id}',
    errors: ['BODY_TOO_LARGE'],
  },
  removeNote: {
    method: 'DELETE',
    path: '/notes/{id}',
    summary: 'Remove a note.',
    scope: 'user',
    params: ofNote,
  },
  getFile: {
    method: 'GET',
    path: '/files/{path+}',
    summary: 'A file.',
    scope: 'public',
    params: z.strictObject({ path: z.string() }),
    download: 'text/plain',
  },
  putFile: {
    method: 'PUT',
    path: '/files/{path+}',
    summary: 'Store a file.',
    scope: 'user',
    params: z.strictObject({ path: z.string() }),
    upload: 'text/plain',
    response: z.object({ bytes: z.int() }),
  },
  watch: {
    method: 'GET',
    path: '/events',
    summary: 'Watch.',
    scope: 'user',
    events: z.object({ type: z.literal('tick'), data: z.int() }),
  },
  fail: { method: 'POST', path: '/fail', summary: 'Fails.', scope: 'public' },
} as const satisfies Record<string, Endpoint<'public' | 'user'>>;

interface Callers {
  readonly public: { readonly tenant: string };
  readonly user: { readonly tenant: string };
  readonly [scope: string]: { readonly tenant: string };
}

let service: Service;
let revoke: ((error: SkeinError) => void) | undefined;
let faults: object[];
let recorded: Omit<Operation<unknown>, 'remote' | 'caller'>[];
const bodies = bodyBudget(2 ** 20);
const eventStreams = eventStreamBudget(2);

beforeEach(async () => {
  faults = [];
  recorded = [];
  const write = (details: object): void => void faults.push(details);
  service = await serveRoutes<Callers, typeof ENDPOINTS>(
    ENDPOINTS,
    {
      listNotes: ({ query: { limit } }) => ({
        notes: Array.from({ length: limit }, (_, id) => ({ id, text: 'x' })),
      }),
      addNote: ({ body: { text } }) => ({ id: 7, text }),
      removeNote: () => undefined,
      getFile: ({ params: { path } }) => ({
        sizeBytes: Buffer.byteLength(path) + (path === 'endless' ? 1 : 0),
        content: (async function* () {
          yield Buffer.from(path);
          if (path === 'endless') await new Promise(() => {});
        })(),
      }),
      async putFile({ content }) {
        let bytes = 0;
        for await (const chunk of content) bytes += chunk.length;
        return { bytes };
      },
      watch: ({ caller, lastEventId }) =>
        async function* (ended) {
          yield { id: 5, type: 'tick', data: JSON.stringify([caller.tenant, lastEventId ?? null]) };
          await once(ended, 'abort');
        },
      fail() {
        throw new Error('a secret of the machine');
      },
    },
    {
      host: '127.0.0.1',
      port: 0,
      about: {
        title: 'Notes',
        version: '1',
        description: 'Notes.',
        keys: 'Ask.',
        commonErrors: ['REQUEST_INVALID'],
      },
      access: {
        authorize(authorization, scope) {
          if (authorization === 'Bearer right') return { tenant: 'shop' };
          if (scope === 'public') return { tenant: 'guests' };
          throw new SkeinError('KEY_MISSING', 'No key.');
        },
        watch(_, onEnd) {
          revoke = onEnd;
          return () => {};
        },
      },
      record: (operation, run) => {
        const { id, params, body } = operation;
        recorded.push({ id, params, body });
        return run();
      },
      fixes: {
        KEY_MISSING: 'Write to the owner of the notes.',
        KEY_INVALID: 'Ask the owner for another.',
      },
      pages: (path) =>
        path === '/' ? { type: 'text/html', body: Buffer.from('hi'), headers: [] } : undefined,
      bodies,
      eventStreams,
      logger: { debug() {}, warn: write, error: write },
    },
  );
});
afterEach(() => service.close(0));

const KEY = { authorization: 'Bearer right' };

async function call(method: string, path: string, init: RequestInit = {}) {
  const response = await fetch(service.url + path, { method, ...init });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  const json =
    isJson && text !== '' ? (JSON.parse(text) as ErrorBody & Record<string, unknown>) : undefined;
  return { status: response.status, headers: response.headers, text, json };
}

describe('a path that begins with two slashes', () => {
  it.each(['//', '//notes', '//example.com/notes'])('%s is no address', async (path) => {
    const { status, json } = await call('GET', path);
    expect({ status, json }).toMatchObject({ status: 404, json: { code: 'ROUTE_UNKNOWN' } });
  });
});

describe('a call', () => {
  it('has its parts checked, with defaults filled in', async () => {
    expect((await call('GET', '/notes')).json).toMatchObject({ notes: { length: 2 } });
    expect((await call('GET', '/notes?limit=3')).json).toMatchObject({ notes: { length: 3 } });
    for (const [method, path, named] of [
      ['GET', '/notes?limit=x', 'limit'],
      ['GET', '/notes?limit=1&limit=2', 'limit'],
      ['GET', '/notes?more=1', 'more'],
      ['DELETE', '/notes/x', 'id'],
      ['DELETE', '/notes/1?more=1', 'more'],
    ] as const) {
      const { status, json } = await call(method, path, { headers: KEY });
      expect(status).toBe(400);
      expect(json).toMatchObject({
        code: 'REQUEST_INVALID',
        error: expect.stringContaining(named),
      });
    }
  });

  it('is answered as its row describes', async () => {
    const added = await call('POST', '/notes', { headers: KEY, body: '{"text":"milk"}' });
    expect([added.status, added.headers.get('location')]).toEqual([201, '/notes/7']);
    expect(added.json).toEqual({ id: 7, text: 'milk' });
    const removed = await call('DELETE', '/notes/7', { headers: KEY });
    expect([removed.status, removed.text]).toEqual([204, '']);
    const file = await call('GET', '/files/a/b%20c');
    expect([file.text, file.headers.get('content-type')]).toEqual(['a/b c', 'text/plain']);
    const stored = await call('PUT', '/files/a', { headers: KEY, body: 'x'.repeat(5000) });
    expect(stored.json).toEqual({ bytes: 5000 });
    const head = await call('HEAD', '/files/a');
    expect([head.status, head.headers.get('content-length'), head.text]).toEqual([200, '1', '']);
    expect(recorded).toEqual([
      { id: 'addNote', params: undefined, body: { text: 'milk' } },
      { id: 'removeNote', params: { id: 7 }, body: undefined },
      { id: 'putFile', params: { path: 'a' }, body: undefined },
    ]);
  });

  it('has answers that no other page may use', async () => {
    for (const path of ['/notes', '/files/a', '/', '/openapi.json', '/nothing']) {
      const { headers } = await call('GET', path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('x-request-id')).not.toBeNull();
    }
    expect((await call('GET', '/notes')).headers.get('cache-control')).toBe('no-store');
  });

  it('that is not in the table is refused, with the methods that are', async () => {
    expect((await call('GET', '/nothing')).json).toMatchObject({ code: 'ROUTE_UNKNOWN' });
    const wrong = await call('PUT', '/notes');
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    expect((await call('POST', '/')).headers.get('allow')).toBe('GET, HEAD');
  });

  it('that fails for a fault shows its id and nothing of the machine', async () => {
    const { json } = await call('POST', '/fail', { headers: { 'x-request-id': 'abc-1' } });
    expect(json).toMatchObject({ code: 'INTERNAL', error: expect.stringContaining('abc-1') });
    expect(JSON.stringify(json)).not.toContain('secret');
    expect(faults).toMatchObject([{ requestId: 'abc-1' }]);
  });
});

describe('the order of work', () => {
  it('asks for the key before it reads a byte of the body', async () => {
    const { port } = new URL(service.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n{"te');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    await expect.poll(() => answer).toContain('Write to the owner of the notes.');
    socket.destroy();
    expect(answer).toContain('401 ');
    expect(answer).toContain('WWW-Authenticate: Bearer');
    expect(bodies.held).toBe(0);
  });

  it('counts a body while it arrives, up to the bound of its row', async () => {
    const { port } = new URL(service.url);
    const socket = connect(Number(port), '127.0.0.1');
    const head = 'POST /notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer right\r\n';
    socket.write(`${head}Content-Length: 90\r\n\r\n{"te`);
    await expect.poll(() => bodies.held).toBe(4);
    socket.destroy();
    await expect.poll(() => bodies.held).toBe(0);
    const large = JSON.stringify({ text: 'x'.repeat(100) });
    const { status, json } = await call('POST', '/notes', { headers: KEY, body: large });
    expect([status, json?.code]).toEqual([413, 'BODY_TOO_LARGE']);
  });
});

describe('the end of a key', () => {
  const revoked = new SkeinError('KEY_INVALID', 'Revoked.');

  it('ends an upload, and notifies its sender', async () => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(
      'PUT /files/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer right\r\nContent-Length: 90\r\n\r\nabc',
    );
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    await expect.poll(() => bodies.held).toBeGreaterThan(0);
    revoke?.(revoked);
    await expect.poll(() => answer).toContain('"code":"KEY_INVALID"');
    await expect.poll(() => bodies.held).toBe(0);
  });

  it('ends a download', async () => {
    const response = await fetch(`${service.url}/files/endless`, { headers: KEY });
    const reader = response.body!.getReader();
    await reader.read();
    revoke?.(revoked);
    await expect(reader.read()).rejects.toThrow('terminated');
  });
});

describe('an event stream', () => {
  it('carries ids and types, and ends with the key of its caller', async () => {
    const response = await fetch(`${service.url}/events`, {
      headers: { ...KEY, 'last-event-id': '4' },
    });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const until = async (wanted: string): Promise<void> => {
      while (!text.includes(wanted)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`The stream ended without ${wanted}: ${text}`);
        text += value;
      }
    };
    await until('id: 5\nevent: tick\ndata: ["shop","4"]\n\n');
    expect(eventStreams.held).toBe(1);
    revoke?.(new SkeinError('KEY_INVALID', 'Revoked.'));
    await until('"code":"KEY_INVALID","fix":"Ask the owner for another."');
    expect((await reader.read()).done).toBe(true);
    await expect.poll(() => eventStreams.held).toBe(0);
  });

  it('is not opened by HEAD, which is answered at once', async () => {
    const response = await fetch(`${service.url}/events`, { method: 'HEAD', headers: KEY });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(eventStreams.held).toBe(0);
  });

  it('needs the key of its scope', async () => {
    expect((await call('GET', '/events')).status).toBe(401);
    expect(eventStreams.held).toBe(0);
  });
});

it('describes itself as OpenAPI, readable by pages of any origin', async () => {
  const { json, headers } = await call('GET', '/openapi.json');
  expect(headers.get('access-control-allow-origin')).toBe('*');
  expect(json).toMatchObject({
    openapi: '3.1.0',
    info: { title: 'Notes' },
    security: [{ key: [] }],
    paths: {
      '/notes': {
        get: { operationId: 'listNotes', security: [{}, { key: [] }] },
        post: { operationId: 'addNote' },
      },
      '/files/{path}': {
        get: { parameters: [{ name: 'path', in: 'path', required: true }] },
        put: { requestBody: { content: { 'text/plain': {} } } },
      },
    },
  });
});
