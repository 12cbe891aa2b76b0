/**
 * A server of OpenAI's form that answers by a word of the user's last message:
 *
 *   weather   calls the tool first, then repeats the tool's result
 *   busy      429 until it has been asked often enough
 *   refused   400, as for a request that is wrong
 *   forever   streams until its reader leaves
 *   echo      repeats it
 *   …         a greeting; with a JSON Schema, an object of it
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Message {
  readonly role: string;
  readonly content: unknown;
}
interface Body {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly stream?: boolean;
  readonly response_format?: { readonly type: string };
  readonly input?: string | readonly string[];
}

export interface Upstream {
  readonly url: string;
  readonly bodies: Body[];
  readonly keys: (string | undefined)[];
  /** Requests that `busy` still refuses. */
  refusals: number;
  /** The time that it asks for with them. */
  retryAfterMs: number;
  /** Streams without an end that are open. */
  open: number;
  close(): void;
}

const USAGE = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };
const CALL = { name: 'weather', arguments: '{"city":"Ulm"}' };

export async function startUpstream(): Promise<Upstream> {
  const bodies: Body[] = [];
  const keys: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    void read(request).then((body) => {
      bodies.push(body);
      keys.push(request.headers.authorization);
      if (request.url?.endsWith('/embeddings') === true) embed(body, response);
      else answer(body, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const upstream: Upstream = {
    url: `http://127.0.0.1:${port}/v1`,
    bodies,
    keys,
    refusals: 1,
    retryAfterMs: 10,
    open: 0,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };

  function answer(body: Body, response: ServerResponse): void {
    const asked = lastTextOf(body, 'user');
    if (asked.includes('refused')) return fail(response, 400, 'The request is wrong.');
    if (asked.includes('busy') && upstream.refusals-- > 0) {
      response.setHeader('retry-after-ms', String(upstream.retryAfterMs));
      return fail(response, 429, 'Slow down.');
    }
    if (asked.includes('forever')) return forever(response);
    const result = lastTextOf(body, 'tool');
    if (asked.includes('weather') && result === '') {
      return send(body, response, [], { finish_reason: 'tool_calls' });
    }
    const isJson = body.response_format?.type === 'json_schema';
    const greeting = asked.includes('echo') ? asked : 'Hello there';
    const text = isJson ? '{"city":"Ulm","degrees":21}' : result === '' ? greeting : result;
    return send(body, response, text.split(/(?<= )/), { finish_reason: 'stop' });
  }

  function forever(response: ServerResponse): void {
    upstream.open += 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const more = (): void => void response.write(chunk({ content: 'more ' }));
    more();
    const timer = setInterval(more, 20);
    response.on('close', () => {
      clearInterval(timer);
      upstream.open -= 1;
    });
  }
  return upstream;
}

function send(
  { stream = false }: Body,
  response: ServerResponse,
  pieces: readonly string[],
  { finish_reason }: { finish_reason: string },
): void {
  const isCall = finish_reason === 'tool_calls';
  const calls = [{ id: 'call_1', type: 'function', function: CALL }];
  if (!stream) {
    const message = isCall
      ? { role: 'assistant', content: null, tool_calls: calls }
      : { role: 'assistant', content: pieces.join('') };
    json(response, 200, {
      id: 'up-1',
      object: 'chat.completion',
      created: 1,
      model: 'big',
      choices: [{ index: 0, message, finish_reason }],
      usage: USAGE,
    });
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(chunk({ role: 'assistant', content: '' }));
  for (const content of pieces) response.write(chunk({ content }));
  if (isCall) {
    const [begin, rest] = [CALL.arguments.slice(0, 5), CALL.arguments.slice(5)];
    const first = { ...calls[0], index: 0, function: { ...CALL, arguments: begin } };
    response.write(chunk({ tool_calls: [first] }));
    response.write(chunk({ tool_calls: [{ index: 0, function: { arguments: rest } }] }));
  }
  response.write(chunk({}, finish_reason));
  response.write(
    `data: ${JSON.stringify({ id: 'up-1', object: 'chat.completion.chunk', created: 1, model: 'big', choices: [], usage: USAGE })}\n\n`,
  );
  response.end('data: [DONE]\n\n');
}

const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({
    id: 'up-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'big',
    choices: [{ index: 0, delta, finish_reason: finish }],
  })}\n\n`;

function embed({ input = [], ...body }: Body, response: ServerResponse): void {
  const texts = typeof input === 'string' ? [input] : input;
  const isBase64 = (body as { encoding_format?: string }).encoding_format === 'base64';
  const data = texts.map((text, index) => {
    const vector = Float32Array.of(text.length, 0.5, -0.25);
    const embedding = isBase64 ? Buffer.from(vector.buffer).toString('base64') : [...vector];
    return { object: 'embedding', index, embedding };
  });
  json(response, 200, {
    object: 'list',
    data,
    model: 'big',
    usage: { prompt_tokens: 4, total_tokens: 4 },
  });
}

function fail(response: ServerResponse, status: number, message: string): void {
  json(response, status, { error: { message, type: 'upstream', param: null, code: null } });
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

async function read(request: IncomingMessage): Promise<Body> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const text = Buffer.concat(pieces).toString();
  return text === '' ? { model: '', messages: [] } : (JSON.parse(text) as Body);
}

function lastTextOf({ messages }: Body, role: string): string {
  const { content } = messages.findLast((message) => message.role === role) ?? { content: '' };
  if (typeof content === 'string') return content;
  return Array.isArray(content)
    ? (content as { text?: string }[]).map(({ text = '' }) => text).join('')
    : '';
}
