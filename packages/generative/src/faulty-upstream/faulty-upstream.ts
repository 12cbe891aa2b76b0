/**
 * An upstream that does what real ones do wrong, for tests, benchmarks and the walk of the guide. A
 * real server on a real port: the fault is the first part of the path, so that the base URL of a
 * provider chooses it.
 *
 *   http://127.0.0.1:PORT/FAULT/v1       OpenAI's form; `none`: it works
 *   http://127.0.0.1:PORT/FAULT          Gemini's form, with its /v1beta/models/…
 */
import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import type { FaultName } from './faults.ts';
import { SELF_SIGNED } from './self-signed.ts';
import { GEMINI, OPENAI, type Wire } from './wires.ts';

export { FAULTS, type FaultName } from './faults.ts';

export interface FaultyOptions {
  /** Default: none. */
  readonly port?: number;
  /** The words of a whole answer. Default: 8 of them. */
  readonly words?: readonly string[];
  /** Time to the first token of one that works; called for each request. Default: 0. */
  readonly firstTokenMs?: () => number;
  /** Between two tokens. Default: 0. */
  readonly gapMs?: number;
  /** Whether a request to continue an answer works, whatever the fault of its path. Default: it does. */
  readonly continues?: boolean;
  /** How slow the slow faults are. */
  readonly slowMs?: number;
}

export interface FaultyUpstream {
  /** Without a path. */
  readonly url: string;
  /** The base URL of a provider of the kind. */
  baseUrl(kind: 'openai' | 'gemini', fault: FaultName | 'quota-day' | 'none'): string;
  readonly requests: number;
  /** Bodies so far, for tests of what was sent. */
  readonly bodies: readonly unknown[];
  close(): Promise<void>;
}

const SLOW_MS = 21_000;
const WORDS = 'the quick brown fox jumps over lazy dogs'.split(' ');
/** More than any event that a reader accepts, and than its memory should grow by. */
const HUGE_BYTES = 40 * 2 ** 20;

export async function openFaultyUpstream(options: FaultyOptions = {}): Promise<FaultyUpstream> {
  const { words: all = WORDS, firstTokenMs = () => 0, gapMs = 0, slowMs = SLOW_MS } = options;
  const { continues = true } = options;
  const bodies: unknown[] = [];
  let requests = 0;

  const server = http.createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  // A half-open connection has no timeout of the server.
  server.requestTimeout = 0;

  async function answer(
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<void> {
    requests += 1;
    const [, fault = 'none', ...path] = (request.url ?? '').split('/');
    const body = (await json(request)) as Record<string, unknown>;
    bodies.push(body);
    const wire = path.some((part) => part.includes(':')) ? GEMINI : OPENAI;
    if (path.at(-1) === 'embeddings') return embed(response, body);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const isStream = wire === GEMINI || body['stream'] === true;
    const begun = begunOf(body);
    const words = begun === undefined ? all : all.join(' ').slice(begun.length).split(' ');
    const { signal } = gone;
    const talk = { response, wire, isStream, isTools: wantsTools(body), signal, words };
    const faulty = (FAULTY as Readonly<Record<string, (talk: Talk) => Promise<void>>>)[fault];
    const act = begun !== undefined && continues ? work : (faulty ?? work);
    await act(talk);
  }

  interface Talk {
    readonly response: http.ServerResponse;
    readonly wire: Wire;
    readonly isStream: boolean;
    readonly isTools: boolean;
    readonly signal: AbortSignal;
    readonly words: readonly string[];
  }

  const open = ({ response }: Talk): void =>
    void response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  const send = ({ response }: Talk, value: unknown): void =>
    void response.write(`data: ${JSON.stringify(value)}\n\n`);
  const refuse = ({ response }: Talk, status: number, value: unknown, headers = {}): void =>
    void response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(value));

  async function some(talk: Talk): Promise<void> {
    open(talk);
    send(talk, talk.wire.opening());
    for (const word of talk.words.slice(0, 3)) send(talk, talk.wire.text(`${word} `));
    // The written words must arrive before the connection breaks.
    await sleep(20);
  }

  async function work(talk: Talk, repeats = false): Promise<void> {
    const { wire, response, signal, words } = talk;
    const firstMs = firstTokenMs();
    if (firstMs > 0) await sleep(firstMs, undefined, { signal });
    if (!talk.isStream) return whole(talk);
    open(talk);
    send(talk, wire.opening());
    if (talk.isTools) {
      ['{"q":', '"x"', '}'].forEach((part, at) => send(talk, wire.call(part, at === 0, repeats)));
    } else {
      for (const [at, word] of words.entries()) {
        if (at > 0 && gapMs > 0) await sleep(gapMs, undefined, { signal });
        send(talk, wire.text(at === words.length - 1 ? word : `${word} `));
      }
    }
    send(talk, wire.finish(talk.isTools ? 'tool_calls' : 'stop', words.length));
    response.end(wire.last === undefined ? '' : `data: ${wire.last}\n\n`);
  }

  async function whole(talk: Talk): Promise<void> {
    const { words } = talk;
    refuse(talk, 200, {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: 'faulty',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: words.join(' ') },
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 10,
        completion_tokens: words.length,
        total_tokens: 10 + words.length,
      },
    });
  }

  const never = (signal: AbortSignal): Promise<void> =>
    sleep(2 ** 31 - 1, undefined, { signal, ref: false });

  const FAULTY: Readonly<
    Record<Exclude<FaultName, 'tls' | 'dns'> | 'quota-day', (talk: Talk) => Promise<void>>
  > = {
    async 'slow-first-byte'(talk) {
      await sleep(slowMs, undefined, { signal: talk.signal });
      await work(talk);
    },
    async 'slow-first-token'(talk) {
      open(talk);
      send(talk, talk.wire.opening());
      for (let ms = 0; ms < slowMs; ms += 50) {
        talk.response.write(': still here\n\n');
        await sleep(50, undefined, { signal: talk.signal });
      }
      await work(talk);
    },
    async stall(talk) {
      await some(talk);
      await never(talk.signal);
    },
    async 'cut-after-content'(talk) {
      await some(talk);
      talk.response.destroy();
    },
    async 'truncated-200'(talk) {
      await some(talk);
      talk.response.end();
    },
    async 'error-in-stream'(talk) {
      await some(talk);
      send(talk, talk.wire.error(500, 'The model has failed.'));
      talk.response.end();
    },
    'quota-minute': async (talk) =>
      refuse(talk, 429, talk.wire.quota('minute'), { 'retry-after': '3' }),
    'quota-day': async (talk) => refuse(talk, 429, talk.wire.quota('day'), { 'retry-after': '20' }),
    'status-500': async (talk) => refuse(talk, 500, talk.wire.error(500, 'An internal error.')),
    async 'malformed-json'(talk) {
      open(talk);
      talk.response.end('data: {"choices":[{"delta":\n\n');
    },
    async 'wrong-type'({ response }) {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>It works!</h1>');
    },
    'half-open': ({ signal }) => never(signal),
    async 'huge-chunk'(talk) {
      open(talk);
      talk.response.write('data: {"text":"');
      const block = Buffer.alloc(1 << 20, 'a');
      for (let sent = 0; sent < HUGE_BYTES && !talk.signal.aborted; sent += block.length) {
        if (!talk.response.write(block)) await once(talk.response, 'drain', talk).catch(() => {});
      }
      talk.response.end();
    },
    'tool-name-repeated': (talk) => work({ ...talk, isTools: true }, true),
    async 'gzip-bomb'({ response, signal }) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
      const gzip = createGzip();
      gzip.pipe(response);
      gzip.write('data: {"text":"');
      const block = Buffer.alloc(1 << 20, 'a');
      for (let sent = 0; sent < 8 * HUGE_BYTES && !signal.aborted; sent += block.length) {
        await new Promise((resolve) => gzip.write(block, resolve));
      }
      gzip.end();
    },
  };

  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const secure = https.createServer(SELF_SIGNED);
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  const secureUrl = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`;
  return {
    url,
    bodies,
    get requests() {
      return requests;
    },
    baseUrl(kind, fault) {
      // A name of this ending exists nowhere (RFC 6761).
      const origins: Readonly<Record<string, string>> = {
        dns: 'http://nowhere.invalid',
        tls: secureUrl,
      };
      const origin = origins[fault] ?? url;
      return `${origin}/${fault}${kind === 'openai' ? '/v1' : ''}`;
    },
    close: () =>
      new Promise((resolve) => {
        secure.close();
        server.close(() => resolve());
        secure.closeAllConnections();
        server.closeAllConnections();
      }),
  };
}

/** The beginning of an answer that the upstream is to continue. */
function begunOf({
  messages,
  contents,
  skein_continuation,
}: Record<string, unknown>): string | undefined {
  if (typeof skein_continuation === 'string') return skein_continuation;
  const last = (messages as { role: string; content: string }[] | undefined)?.at(-1);
  if (last?.role === 'assistant') return last.content;
  const turn = (contents as { role: string; parts: { text: string }[] }[] | undefined)?.at(-1);
  return turn?.role === 'model' ? turn.parts[0]!.text : undefined;
}

function wantsTools({ tools }: Record<string, unknown>): boolean {
  return Array.isArray(tools) && tools.length > 0;
}

function embed(response: http.ServerResponse, { input }: Record<string, unknown>): void {
  const inputs = Array.isArray(input) ? (input as unknown[]) : [input];
  const data = inputs.map((text, index) => {
    const vector = Float32Array.of(String(text).length, index, 0.5);
    return { object: 'embedding', index, embedding: Buffer.from(vector.buffer).toString('base64') };
  });
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ object: 'list', data, model: 'faulty', usage: { prompt_tokens: 5 } }));
}
