/** Single requests that cost a node as much as a body of their size can: one row is one request. */
import { gzipSync } from 'node:zlib';
import { DATATYPES, type Echo } from './echoes.ts';

export interface CostlyRequest {
  readonly name: string;
  readonly method: 'POST' | 'PUT' | 'PATCH';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Made when it is sent: some have 64 MiB. */
  readonly body: () => Buffer;
}

const MIB = 2 ** 20;
const GATEWAY_BYTES = 64 * MIB - 4096;
const MANAGEMENT_BYTES = MIB - 64;
/** Bytes of the texts in a request to a language model: the limit, less the rest of the request. */
const LANGUAGE_BYTES = 16 * MIB - 128 * 1024;

const filled = (before: string, item: string, after: string, bytes: number): Buffer =>
  Buffer.from(`${before}${item}${`,${item}`.repeat(bytes / (item.length + 1) - 1)}${after}`);

function members(before: string, value: string, after: string, bytes: number): Buffer {
  const count = Math.floor(bytes / (value.length + 10));
  const list = Array.from({ length: count }, (_, index) => `"k${index}":${value}`);
  return Buffer.from(`${before}${list.join(',')}${after}`);
}

function infer(
  name: string,
  echo: Echo,
  body: () => Buffer,
  headers: CostlyRequest['headers'] = {},
): CostlyRequest {
  return { name, method: 'POST', path: `/v2/models/${echo}/infer`, headers, body };
}

function json(name: string, echo: Echo, item: string, count: number): CostlyRequest {
  const head = `{"inputs":[{"name":"x","datatype":"${DATATYPES[echo]}","shape":[${count}],"data":[`;
  return infer(name, echo, () => filled(head, item, ']}]}', count * (item.length + 1)));
}

function binary(name: string, echo: Echo, count: number, size: number, out: boolean) {
  const bytes = count * size;
  const head = `{"parameters":{"binary_data_output":${out}},"inputs":[{"name":"x","datatype":"${DATATYPES[echo]}","shape":[${count}],"parameters":{"binary_data_size":${bytes}}}]}`;
  const body = (): Buffer => Buffer.concat([Buffer.from(head), Buffer.alloc(bytes)]);
  return infer(name, echo, body, { 'inference-header-content-length': String(head.length) });
}

function inferences(bytes: number): CostlyRequest[] {
  const of = (what: string): string => `${what}, ${Math.ceil(bytes / MIB)} MiB`;
  return [
    json(of('short numbers'), 'floats', '1', bytes / 2 - 100),
    json(of('long numbers'), 'floats', '0.12345678901234567', Math.floor(bytes / 20) - 100),
    json(of('integers beyond 2⁵³'), 'wide', '9007199254740993000', Math.floor(bytes / 20) - 100),
    json(of('empty strings'), 'strings', '""', Math.min(65_536, Math.floor(bytes / 3) - 100)),
    infer(of('zeros before a digit'), 'wide', () =>
      Buffer.from(
        `{"inputs":[{"name":"x","datatype":"INT64","shape":[1],"data":[1${'0'.repeat(17)}.${'0'.repeat(bytes - 200)}1]}]}`,
      ),
    ),
    infer(of('more strings than claimed'), 'strings', () =>
      filled(
        '{"inputs":[{"name":"x","datatype":"BYTES","shape":[5],"data":[',
        '""',
        ']}]}',
        bytes - 200,
      ),
    ),
    infer(of('nested data'), 'strings', () =>
      Buffer.from(
        `{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":${'['.repeat(bytes - 100)}`,
      ),
    ),
    infer(of('nested'), 'floats', () => Buffer.from(`{"a":${'['.repeat(bytes - 10)}`)),
    infer(of('objects'), 'floats', () => filled('{"inputs":[', '{}', ']}', bytes - 20)),
    infer(of('keys'), 'floats', () => members('{"parameters":{', '0', '}}', bytes - 20)),
    infer(of('prototypes'), 'floats', () =>
      filled('{"inputs":[', '{"__proto__":{"name":"x"},"__proto__":1}', ']}', bytes - 20),
    ),
    infer(of('inputs'), 'floats', () =>
      filled(
        '{"inputs":[',
        '{"name":"x","datatype":"FP32","shape":[1],"data":[1]}',
        ']}',
        bytes - 20,
      ),
    ),
    infer(of('quotes'), 'floats', () => Buffer.alloc(bytes, '"')),
    infer(of('blanks'), 'floats', () => Buffer.alloc(bytes, ' ')),
  ];
}

/** The model of `languageRequests`. */
export const ASSISTANT = 'assistant';

/** Requests to a language model, which its upstream gets again in another form. */
function languageRequests(bytes: number): CostlyRequest[] {
  const text = Buffer.alloc(bytes, 'a').toString('latin1');
  const image = `data:image/png;base64,${'A'.repeat(bytes)}`;
  const post = (name: string, path: string, body: () => object): CostlyRequest => ({
    name: `${name}, ${Math.ceil(bytes / MIB)} MiB`,
    method: 'POST',
    path,
    headers: {},
    body: () => Buffer.from(JSON.stringify(body())),
  });
  const chat = (name: string, rest: (of: object) => object): CostlyRequest =>
    post(`chat: ${name}`, '/v1/chat/completions', () =>
      rest({ model: ASSISTANT, messages: [{ role: 'user', content: 'a' }] }),
    );
  const pictured = (url: string) => [{ type: 'image_url', image_url: { url } }];
  const parts = (count: number) =>
    Array.from({ length: count }, () => text.slice(0, bytes / count));
  const schema = { type: 'object', description: text.slice(0, Math.min(60_000, bytes / 200)) };
  const tools = Array.from({ length: 128 }, (_, i) => {
    return { type: 'function', function: { name: `f${i}`, parameters: schema } };
  });
  const gemini = `/v1beta/models/${ASSISTANT}:generateContent`;
  return [
    chat('one text', (of) => ({ ...of, messages: [{ role: 'user', content: text }] })),
    chat('4,096 messages', (of) => ({
      ...of,
      messages: parts(4096).map((content) => ({ role: 'user', content })),
    })),
    chat('an image', (of) => ({ ...of, messages: [{ role: 'user', content: pictured(image) }] })),
    chat('no image', (of) => ({
      ...of,
      messages: [{ role: 'user', content: pictured(`${image}!`) }],
    })),
    chat('tools', (of) => ({ ...of, tools })),
    chat('an unknown field', (of) => ({ ...of, unknown: text })),
    chat('quotes', (of) => ({
      ...of,
      messages: [{ role: 'user', content: '"'.repeat(bytes / 2) }],
    })),
    post('responses: one text', '/v1/responses', () => ({ model: ASSISTANT, input: text })),
    post('embeddings: 2,048 texts', '/v1/embeddings', () => ({
      model: ASSISTANT,
      input: parts(2048),
    })),
    post('Gemini: one text', gemini, () => ({ contents: [{ parts: [{ text }] }] })),
    post('Gemini: an image', gemini, () => ({
      contents: [{ parts: [{ inlineData: { mimeType: 'image/png', data: image.slice(22) } }] }],
    })),
  ];
}

const MANAGEMENT: readonly (readonly [string, CostlyRequest['method'], string, () => Buffer])[] = [
  ['nested', 'POST', '/api/v1/jobs', () => Buffer.from('['.repeat(MANAGEMENT_BYTES))],
  ['nested', 'POST', '/v2/repository/index', () => Buffer.from('['.repeat(MANAGEMENT_BYTES))],
  ['objects', 'POST', '/api/v1/jobs', () => filled('{"jobs":[', '{}', ']}', MANAGEMENT_BYTES)],
  ['no jobs', 'POST', '/api/v1/jobs', () => filled('{"jobs":[', '{}', ']}', 100_000)],
  ['keys', 'POST', '/api/v1/jobs', () => members('{"jobs":[{', '0', '}]}', 450_000)],
  [
    'settings',
    'PATCH',
    '/api/v1/deployments/floats',
    () => members('{"settings":{', '0', '}}', 40_000),
  ],
  [
    'parents',
    'POST',
    '/api/v1/jobs',
    () => filled('{"jobs":[{"parents":[', '"!"', ']}]}', 190_000),
  ],
  ['epochs', 'PUT', '/api/v1/runs/a', () => filled('{"run":{"epochs":[', '{}', ']}}', 70_000)],
  ['scopes', 'POST', '/api/v1/keys', () => filled('{"scopes":[', '"x"', ']}', 190_000)],
];

const compressed = (name: string, body: () => Buffer): CostlyRequest =>
  infer(name, 'floats', () => gzipSync(body()), { 'content-encoding': 'gzip' });

export const COSTLY_REQUESTS: readonly CostlyRequest[] = [
  ...inferences(MIB - 256),
  ...inferences(GATEWAY_BYTES),
  binary('64 MiB of floats', 'floats', GATEWAY_BYTES / 4, 4, true),
  binary('64 MiB of floats, JSON back', 'floats', GATEWAY_BYTES / 4, 4, false),
  binary('64 MiB of bools', 'bools', GATEWAY_BYTES, 1, true),
  binary('65,536 empty strings', 'strings', 65_536, 4, true),
  binary('65,536 empty strings, JSON back', 'strings', 65_536, 4, false),
  binary('16 million strings', 'strings', GATEWAY_BYTES / 4, 4, true),
  infer('64 MiB raw', 'floats', () => Buffer.alloc(GATEWAY_BYTES), {
    'inference-header-content-length': '0',
  }),
  compressed('64 MiB of blanks, compressed', () => Buffer.alloc(GATEWAY_BYTES, ' ')),
  compressed('192 MiB of blanks, compressed', () => Buffer.alloc(3 * GATEWAY_BYTES, ' ')),
  ...languageRequests(MIB - 4096),
  ...languageRequests(LANGUAGE_BYTES),
  ...MANAGEMENT.map(([name, method, path, body]) => ({
    name: `${method} ${path}: ${name}`,
    method,
    path,
    headers: {},
    body,
  })),
];
