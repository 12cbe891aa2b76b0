import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { geminiProvider } from '../provider.ts';

export interface Asked {
  readonly path: string | undefined;
  readonly body: unknown;
}

/** An upstream that answers every request with `answer`, and the provider over it. */
export async function startGemini(answer: object, onVertex: boolean) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      asked.push({ path: request.url, body: await json(request) });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer));
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const provider = geminiProvider({
    name: 'up',
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connectMs: 5000,
    modelsPath: '/models',
    credentials: async () => ({}),
    onVertex,
  });
  onTestFinished(async () => {
    await provider.close();
    server.close();
  });
  return { asked, provider };
}
