/** An upstream that repeats what it was sent, in each place of an error that a caller reads. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SkeinError } from '@skein/api/errors';
import { expect, it, onTestFinished } from 'vitest';
import type { Provider } from '../contract.ts';
import { geminiProvider } from '../providers/gemini/provider.ts';
import { openAiProvider } from '../providers/openai/provider.ts';
import { hidingOf } from './credentials.ts';
import { faultOf } from './upstream-error.ts';

const KEY = 'sk-operator/1234+abcd=';
const OWN = 'another-secret-of-the-operator';

/** Repeats the headers of a request in all fields of an error, as a status or inside of a stream. */
async function startEcho(status: number): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    const { headers } = request;
    const echoed = `${headers.authorization} ${String(headers['x-goog-api-key'])} ${String(headers['x-own'])}`;
    const long = `${echoed} `.repeat(40);
    const quota = { violations: [{ quotaId: long }] };
    const error = {
      message: `${'x'.repeat(270)}${echoed}`,
      type: long,
      code: status === 429 ? long : 400,
      param: long,
      details: [quota],
    };
    response.writeHead(status, {
      'content-type': status === 200 ? 'text/event-stream' : 'application/json',
    });
    const text = JSON.stringify({ error }).replaceAll('/', '\\/');
    response.end(status === 200 ? `data: ${text}\n\n` : text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const headers = { 'x-own': OWN };
const KINDS: Readonly<Record<string, (baseUrl: string) => Provider>> = {
  openai: (baseUrl) =>
    openAiProvider({ name: 'up', baseUrl, connectMs: 5000, apiKey: KEY, headers }),
  gemini: (baseUrl) =>
    geminiProvider({
      name: 'up',
      baseUrl,
      connectMs: 5000,
      modelsPath: '/v1beta/models',
      credentials: async () => ({ 'x-goog-api-key': KEY }),
      headers,
    }),
};

it.each(
  Object.keys(KINDS).flatMap((kind) =>
    [400, 429, 500, 503, 200].map((status) => [kind, status] as const),
  ),
)('%s, %i: neither the message nor the names repeat a credential', async (kind, status) => {
  const provider = KINDS[kind]!(await startEcho(status));
  onTestFinished(() => provider.close());
  const call = { signal: new AbortController().signal, deadline: Infinity, gapMs: 10_000 };
  const request = { model: 'm', messages: [], stream: true };
  const error = await (async () => {
    for await (const _ of provider.generate(request, call)) void _;
  })().then(
    () => undefined,
    (thrown: unknown) => thrown as SkeinError,
  );
  const { quotaId, param } = faultOf(error)!;
  const text = `${error?.message} ${quotaId} ${param}`;
  for (const secret of [KEY, OWN]) {
    expect(text).not.toContain(secret);
    // Not even the part that a bound on the length would leave.
    expect(text).not.toContain(secret.slice(0, 9));
  }
  expect(quotaId?.length ?? 0).toBeLessThanOrEqual(100);
  expect(param?.length ?? 0).toBeLessThanOrEqual(100);
});

it('hides passwords of Basic and what is escaped, and no words', () => {
  const password = 'correct-horse';
  const basic = `Basic ${Buffer.from(`user:${password}`).toString('base64')}`;
  const hide = hidingOf({ authorization: basic, 'x-title': 'Skein', 'x-key': KEY });
  expect(hide({ a: [`the ${password}`, encodeURIComponent(KEY), 'Skein', 7] })).toEqual({
    a: ['the [hidden]', '[hidden]', 'Skein', 7],
  });
});
