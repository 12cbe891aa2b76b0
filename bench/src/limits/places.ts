/** The processes of a measurement: a node with an upstream and a federation, and a reader of packages. */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from '../harness/free-port.ts';
import { ASSISTANT } from './costly-bodies.ts';
import { deployEchoes } from './echoes.ts';
import { enrolSite } from './enrolled-site.ts';
import type { Places } from './face.ts';
import { startLoneMember } from './fleet-under-attack.ts';
import { launchProbed, type NodeUnderAttack, type Probed } from './node-under-attack.ts';

const ANSWER = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

/** Runs `measure` with all that generated requests are sent to. */
export async function withPlaces<T>(measure: (places: Places) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-generated-'));
  const upstream = createServer((asked, response) => {
    // The node leaves calls whose caller is refused meanwhile.
    answer(asked, response).catch(() => response.destroy());
  });
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  const started: Probed[] = [];
  try {
    const node = await startLoneMember(folder);
    started.push(node);
    const readerPort = await freePort();
    const readerUrl = `http://127.0.0.1:${readerPort}`;
    await mkdir(join(folder, 'reader'));
    const reader = await launchProbed(join(folder, 'reader'), {
      args: [join(import.meta.dirname, 'package-reader.ts'), String(readerPort)],
      url: readerUrl,
      readyPath: '/',
    });
    started.push(reader);
    await deployEchoes(node);
    await putAssistant(node, (upstream.address() as AddressInfo).port);
    return await measure({ node, reader, readerUrl, site: await enrolSite(node) });
  } finally {
    for (const each of started) await each.stop();
    upstream.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Answers as an upstream: a fault of it would close the model's route to the requests that follow. */
async function answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(asked);
  response.setHeader('content-type', 'application/json');
  if (asked.url?.endsWith('/embeddings') !== true) return void response.end(ANSWER);
  const { input } = JSON.parse(body) as { input: readonly string[] };
  const data = input.map((_, index) => ({ index, embedding: [1] }));
  response.end(JSON.stringify({ data, usage: { prompt_tokens: 1, total_tokens: 1 } }));
}

async function putAssistant({ client }: NodeUnderAttack, upstreamPort: number): Promise<void> {
  const baseUrl = `http://127.0.0.1:${upstreamPort}/v1`;
  await client.putProvider({ name: 'up', kind: 'openai', baseUrl });
  await client.putLanguageModel({
    name: ASSISTANT,
    routes: [{ provider: 'up', model: 'm', price: { input: 1, output: 10 } }],
    ttftMs: 60_000,
  });
}
