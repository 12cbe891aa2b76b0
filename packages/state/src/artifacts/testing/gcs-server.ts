/**
 * The JSON API of Google Cloud Storage on loopback, as its documentation describes it: uploads in
 * one request and resumable ones, metadata, media with ranges, lists in pages, removal,
 * preconditions, and errors in Google's shape. No emulator is in the package registries, so this is
 * a stand-in: it shows that the client and our use of it agree with the documentation.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

interface StoredObject {
  readonly bytes: Buffer;
  readonly generation: number;
}
interface Session {
  readonly bucket: string;
  readonly name: string;
  received: Buffer;
  stored?: StoredObject;
}
/** A planted failure of the next request that matches. */
export interface Fault {
  readonly method: string;
  /** A text that the path and query must contain. */
  readonly on: string;
  readonly times: number;
  /** An HTTP status; or how many bytes of the answer are sent before the connection is cut. */
  readonly status?: number;
  readonly reason?: string;
  readonly cutAfter?: number;
  /** How many bytes of the answer are sent before it falls silent; 0: it never answers. */
  readonly silentAfter?: number;
  /** Between two pieces of 512 KiB of a body, either way, in milliseconds. */
  readonly pauseMs?: number;
  /** Changes a bit of what is uploaded. */
  readonly damages?: true;
  /** Does what was asked before it answers with the status. */
  readonly afterwards?: true;
  /** Takes a part of a resumable upload for the last one, or keeps nothing of it. */
  readonly part?: 'last' | 'dropped';
}

export interface GcsServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly buckets: Map<string, Map<string, StoredObject>>;
  /** Method and path with query of every request. */
  readonly requests: string[];
  /** Resumable uploads that were neither completed nor cancelled. */
  readonly openSessions: () => string[];
  plant(fault: Fault): void;
  readonly store: (bucket: string, name: string, bytes: Uint8Array) => void;
}

export interface GcsServerOptions {
  /** Serves over TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** The bearer token that every request must have. */
  readonly token?: string;
  /** Objects on a page of a list; Google's default is 1,000. */
  readonly pageSize?: number;
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('base64');

class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export async function startGcsServer(options: GcsServerOptions = {}): Promise<GcsServer> {
  const buckets: GcsServer['buckets'] = new Map();
  const sessions = new Map<string, Session>();
  const requests: string[] = [];
  const faults: { fault: Fault; left: number }[] = [];
  let generation = 1_700_000_000_000_000;
  let endpoint = '';

  const objectsOf = (bucket: string): Map<string, StoredObject> => {
    const objects = buckets.get(bucket);
    if (objects === undefined) {
      throw new ApiError(404, 'notFound', 'The specified bucket does not exist.');
    }
    return objects;
  };
  const store = (bucket: string, name: string, bytes: Buffer): StoredObject => {
    const object = { bytes, generation: ++generation };
    objectsOf(bucket).set(name, object);
    return object;
  };
  const resource = (bucket: string, name: string, { bytes, generation }: StoredObject) => ({
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    name,
    bucket,
    generation: String(generation),
    metageneration: '1',
    contentType: 'application/octet-stream',
    size: String(bytes.byteLength),
    md5Hash: md5(bytes),
  });
  const precondition = (url: URL, current: StoredObject | undefined): void => {
    const wanted = url.searchParams.get('ifGenerationMatch');
    if (wanted !== null && Number(wanted) !== (current?.generation ?? 0)) {
      throw new ApiError(
        412,
        'conditionNotMet',
        'At least one of the pre-conditions did not hold.',
      );
    }
  };

  async function upload(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    bucket: string,
    fault: Partial<Fault>,
  ) {
    const { damages, pauseMs } = fault;
    const session = url.searchParams.get('upload_id');
    if (session !== null) return resume(request, response, session, fault);
    const body = await bytesOf(request, pauseMs);
    const kind = url.searchParams.get('uploadType');
    const name = url.searchParams.get('name');
    if (name === null) throw new ApiError(400, 'required', 'Required parameter: name');
    precondition(url, objectsOf(bucket).get(name));
    if (kind === 'resumable') {
      const id = createHash('sha256').update(`${name}${++generation}`).digest('hex');
      sessions.set(id, { bucket, name, received: Buffer.alloc(0) });
      const location = `${endpoint}${url.pathname}?uploadType=resumable&upload_id=${id}`;
      return response.writeHead(200, { location }).end();
    }
    if (kind !== 'media') throw new ApiError(400, 'invalid', `uploadType ${kind} is not known.`);
    if (damages) body[0]! ^= 1;
    return json(response, 200, resource(bucket, name, store(bucket, name, body)));
  }

  async function resume(
    request: IncomingMessage,
    response: ServerResponse,
    id: string,
    { status, afterwards, part, pauseMs }: Partial<Fault>,
  ) {
    const session = sessions.get(id);
    if (session === undefined) throw new ApiError(410, 'gone', 'The upload session is over.');
    if (request.method === 'DELETE') {
      sessions.delete(id);
      return response.writeHead(499).end();
    }
    const body = await bytesOf(request, pauseMs);
    const { bucket, name } = session;
    const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(request.headers['content-range'] ?? '');
    if (range === null) throw new ApiError(400, 'invalid', 'Content-Range is missing.');
    const [, from, to, total] = range;
    if (from !== undefined && part !== 'dropped') {
      const isLast = Number(to) + 1 === Number(total);
      if (!isLast && body.byteLength % 262_144 !== 0) {
        throw new ApiError(400, 'invalid', 'A part is not a multiple of 256 KiB.');
      }
      if (Number(from) > session.received.byteLength) {
        throw new ApiError(503, 'backendError', 'The range leaves a gap.');
      }
      session.received = Buffer.concat([session.received.subarray(0, Number(from)), body]);
    }
    if (part === 'last' || session.received.byteLength === Number(total)) {
      session.stored ??= store(bucket, name, session.received);
    }
    if (afterwards) throw new ApiError(status!, 'backendError', 'After the fact.');
    if (session.stored !== undefined)
      return json(response, 200, resource(bucket, name, session.stored));
    const last = session.received.byteLength - 1;
    return response.writeHead(308, last < 0 ? {} : { range: `bytes=0-${last}` }).end();
  }

  function list(response: ServerResponse, url: URL, bucket: string) {
    const prefix = url.searchParams.get('prefix') ?? '';
    const after = url.searchParams.get('pageToken') ?? '';
    const most = Number(url.searchParams.get('maxResults') ?? options.pageSize ?? 1000);
    const all = [...objectsOf(bucket)]
      .filter(([name]) => name.startsWith(prefix) && name > after)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const page = all.slice(0, most);
    return json(response, 200, {
      kind: 'storage#objects',
      items: page.map(([name, object]) => resource(bucket, name, object)),
      ...(all.length > page.length ? { nextPageToken: page.at(-1)![0] } : {}),
    });
  }

  function media(
    request: IncomingMessage,
    response: ServerResponse,
    { bytes, generation }: StoredObject,
    { cutAfter, silentAfter, pauseMs }: Partial<Fault>,
  ) {
    const [, from, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(from ?? 0);
    if (from !== undefined && start >= bytes.byteLength) {
      return response.writeHead(416, { 'content-range': `bytes */${bytes.byteLength}` }).end();
    }
    const part = last ? bytes.subarray(start, Number(last) + 1) : bytes.subarray(start);
    response.writeHead(from === undefined ? 200 : 206, {
      'content-type': 'application/octet-stream',
      'content-length': part.byteLength,
      'x-goog-generation': String(generation),
      'x-goog-stored-content-encoding': 'identity',
      'x-goog-hash': `md5=${md5(bytes)}`,
      ...(from === undefined
        ? {}
        : { 'content-range': `bytes ${start}-${start + part.byteLength - 1}/${bytes.byteLength}` }),
    });
    if (silentAfter !== undefined) return response.write(part.subarray(0, silentAfter));
    if (pauseMs !== undefined) return Readable.from(slowly(part, pauseMs)).pipe(response);
    if (cutAfter === undefined) return response.end(part);
    return response.write(part.subarray(0, cutAfter), () => response.destroy());
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const url = new URL(request.url ?? '/', endpoint);
    const asked = `${request.method} ${url.pathname}${url.search}`;
    requests.push(asked);
    if (
      options.token !== undefined &&
      request.headers.authorization !== `Bearer ${options.token}`
    ) {
      throw new ApiError(401, 'authError', 'Invalid Credentials');
    }
    const planted = faults.find(
      ({ fault, left }) => left > 0 && fault.method === request.method && asked.includes(fault.on),
    );
    if (planted !== undefined) planted.left -= 1;
    const fault: Partial<Fault> = planted?.fault ?? {};
    const { status, reason = 'backendError' } = fault;
    if (fault.silentAfter === 0) return request.resume();
    if (status !== undefined && !fault.afterwards) {
      await bytesOf(request);
      throw new ApiError(status, reason, `A planted ${status}.`);
    }
    const [, isUpload, bucket = '', , object] =
      /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (isUpload !== undefined) return upload(request, response, url, bucket, fault);
    if (object === undefined) return list(response, url, bucket);
    const name = decodeURIComponent(object);
    const found = objectsOf(bucket).get(name);
    if (found === undefined) {
      throw new ApiError(404, 'notFound', `No such object: ${bucket}/${name}`);
    }
    if (request.method === 'DELETE') {
      objectsOf(bucket).delete(name);
      return response.writeHead(204).end();
    }
    if (url.searchParams.get('alt') === 'media') return media(request, response, found, fault);
    return json(response, 200, resource(bucket, name, found));
  }

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response).catch((error: unknown) => {
      // The client has given the request up.
      if (request.destroyed && !request.complete) return;
      if (!(error instanceof ApiError)) throw error;
      const { status: code, reason, message } = error;
      // A download is refused in plain text, all else in JSON.
      if (request.url?.includes('alt=media')) response.writeHead(code).end(message);
      else {
        const errors = [{ domain: 'global', reason, message }];
        json(response, code, { error: { code, message, errors } });
      }
    });
  };
  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  endpoint = `${options.tls ? 'https://localhost' : 'http://127.0.0.1'}:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    buckets,
    requests,
    openSessions: () => [...sessions].flatMap(([id, { stored }]) => (stored ? [] : [id])),
    plant: (fault) => faults.push({ fault, left: fault.times }),
    store: (bucket, name, bytes) => void store(bucket, name, Buffer.from(bytes)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => {
        server.close(done);
      });
    },
  };
}

function json(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { 'content-type': 'application/json; charset=UTF-8' })
    .end(JSON.stringify(body));
}

const PIECE_BYTES = 512 * 1024;

async function* slowly(bytes: Buffer, pauseMs: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.byteLength; start += PIECE_BYTES) {
    await sleep(pauseMs);
    yield bytes.subarray(start, start + PIECE_BYTES);
  }
}

async function bytesOf(request: IncomingMessage, pauseMs?: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let unpaused = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    parts.push(part);
    unpaused += part.byteLength;
    if (pauseMs === undefined || unpaused < PIECE_BYTES) continue;
    unpaused = 0;
    await sleep(pauseMs);
  }
  return Buffer.concat(parts);
}
