/**
 * Vertex AI and Google Secret Manager with the credentials of the machine: Google's own library gets
 * its tokens from a metadata server of the test, as on GKE, Compute Engine and Cloud Run.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LanguageSettings } from '@skein/api';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openGateway } from '../../gateway.ts';
import { callerOf, eventsOf, requestOf } from '../../testing/calls.ts';

interface Asked {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly apiKey: string | undefined;
}

/** @param lasts seconds that its tokens last; 0: the machine has no credentials. */
async function startGoogle(lasts = 3600) {
  const asked: Asked[] = [];
  let tokens = 0;
  const server = createServer((request, response) => {
    const { url = '', headers } = request;
    response.setHeader('metadata-flavor', 'Google');
    response.setHeader('content-type', 'application/json');
    if (url.startsWith('/computeMetadata/')) {
      if (lasts === 0) response.writeHead(404).end('{}');
      else if (url.includes('/token')) {
        tokens += 1;
        const access_token = `token-${tokens}`;
        response.end(JSON.stringify({ access_token, expires_in: lasts, token_type: 'Bearer' }));
      } else response.end('test');
      return;
    }
    request.resume();
    asked.push({
      path: url,
      authorization: headers.authorization,
      apiKey: headers['x-goog-api-key'] as string | undefined,
    });
    const parts = [{ text: 'Hello there' }];
    const chunk = { candidates: [{ content: { parts }, finishReason: 'STOP' }] };
    response.setHeader('content-type', 'text/event-stream');
    response.end(`data: ${JSON.stringify(chunk)}\n\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv('GCE_METADATA_HOST', host);
  vi.stubEnv('METADATA_SERVER_DETECTION', 'assume-present');
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    server.closeAllConnections();
    server.close();
  });
  return { baseUrl: `http://${host}`, asked };
}

async function open(provider: object) {
  const gateway = await openGateway({
    settings: LanguageSettings.parse({
      providers: [{ name: 'google', ...provider }],
      models: [{ name: 'm', routes: [{ provider: 'google', model: 'gemini-3' }], ttftMs: 60_000 }],
    }),
  });
  onTestFinished(() => gateway.close());
  return async () => {
    return eventsOf(await gateway.generate(requestOf('m'), callerOf()));
  };
}

test('Vertex AI is asked at its path, with a token that is kept until it ends', async () => {
  const { baseUrl, asked } = await startGoogle();
  const ask = await open({ kind: 'vertex', project: 'p', location: 'europe-west1', baseUrl });
  for (let time = 0; time < 2; time++) {
    expect(await ask()).toContainEqual(expect.objectContaining({ text: 'Hello there' }));
  }
  const path =
    '/v1/projects/p/locations/europe-west1/publishers/google/models/gemini-3:streamGenerateContent?alt=sse';
  const call = { path, authorization: 'Bearer token-1', apiKey: undefined };
  expect(asked).toEqual([call, call]);
});

test('a token that is about to end is asked for again', async () => {
  const { baseUrl, asked } = await startGoogle(60);
  const ask = await open({ kind: 'vertex', project: 'p', baseUrl });
  await ask();
  await ask();
  expect(asked.map(({ authorization }) => authorization)).toEqual([
    'Bearer token-1',
    'Bearer token-2',
  ]);
  expect(asked[0]!.path).toContain('/locations/global/');
});

test('a machine without credentials gives an error, and sends nothing', async () => {
  const { baseUrl, asked } = await startGoogle(0);
  const ask = await open({ kind: 'vertex', project: 'p', baseUrl });
  await expect(ask()).rejects.toMatchObject({
    code: 'PROVIDER_DENIED',
    message: 'Provider google: this node has no credentials of Google Cloud.',
  });
  expect(asked).toEqual([]);
});

test('an API key comes from Secret Manager, and is in no message', async () => {
  const { baseUrl, asked } = await startGoogle();
  const secrets: [string, string | null][] = [];
  const real = fetch;
  vi.stubGlobal('fetch', async (url: string | URL | Request, init?: RequestInit) => {
    const text = url instanceof Request ? url.url : String(url);
    if (!text.startsWith('https://secretmanager')) return real(url, init);
    secrets.push([text, new Headers(init?.headers).get('authorization')]);
    if (text.includes('/missing/')) return new Response('{}', { status: 404 });
    return Response.json({ payload: { data: Buffer.from('the-key\n').toString('base64') } });
  });
  onTestFinished(() => void vi.unstubAllGlobals());
  const ask = await open({ kind: 'gemini', apiKey: 'gcp:projects/p/secrets/gemini', baseUrl });
  await ask();
  expect(asked).toMatchObject([{ apiKey: 'the-key', authorization: undefined }]);
  const path =
    'https://secretmanager.googleapis.com/v1/projects/p/secrets/gemini/versions/latest:access';
  expect(secrets).toEqual([[path, 'Bearer token-1']]);
  const missing = { kind: 'gemini', apiKey: 'gcp:projects/p/secrets/missing', baseUrl };
  const asking = await open(missing).catch((error: unknown) => () => Promise.reject(error));
  await expect(asking()).rejects.toMatchObject({
    message: expect.stringContaining('gcp:projects/p/secrets/missing') as string,
  });
});
