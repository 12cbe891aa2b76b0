/**
 * SIGTERM while something is open that does not end alone: a federation with its sites, an answer of a
 * language model, a request that another member answers. The process kills itself
 * 900 ms after its grace time, so that exit code 0 means in time.
 */
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { FEDERATION_PATH } from '@skein/api/federations';
import { federationsOn } from '../../federations/testing/federation-node.ts';
import { startUpstream } from '../../language/testing/upstream.ts';
import { startLoad } from '../../testing/load.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import {
  askSlow,
  deploySlow,
  metricOf,
  openSlowFleet,
  PATIENT,
  together,
} from '../../testing/slow-fleet.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

const GRACE = ['--grace', '3s'] as const;
const LONG = 180_000;

async function expectEnd(node: NodeProcess): Promise<void> {
  const { code, stderr } = await node.stop();
  expect([code, stderr]).toEqual([0, stderr]);
  expect(stderr).not.toMatch(/did not stop in time|FATAL|"level":"(error|fatal)"/);
}

it(
  'with a federation, a site of it, and connections that prove nothing',
  async () => {
    const folder = testFolder();
    await using node = await startNodeProcess({ folder, args: GRACE });
    const closing = new AbortController();
    onTestFinished(() => closing.abort());
    const federations = federationsOn(node.url, folder, closing.signal);
    const { id } = await federations.begin({
      strategy: { name: 'fedavg' },
      sites: { minimum: 4 },
      privacy: { mode: 'none' },
      aggregation: { kind: 'none', coordinatorSeesUpdates: true },
      rounds: 2,
    });
    const site = federations.join(id, 'a', 1).catch((error: unknown) => error);
    await federations.until(id, ({ sites }) => sites.some(({ connected }) => connected));
    const mute = connect(node.port, '127.0.0.1');
    onTestFinished(() => void mute.destroy());
    mute.on('error', () => {});
    mute.write(
      `GET ${FEDERATION_PATH} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
    );
    await new Promise((resolve) => mute.once('data', resolve));
    await expectEnd(node);
    closing.abort();
    await site;
  },
  LONG,
);

/** An upstream that takes requests and answers none. */
async function startSilent(): Promise<{ readonly url: string; readonly asked: () => number }> {
  const waiting: ServerResponse[] = [];
  const server = createServer((request, response) => {
    request.resume();
    waiting.push(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1`, asked: () => waiting.length };
}

const chat = (node: NodeProcess, text: string, stream: boolean): Promise<Response | Error> =>
  fetch(`${node.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({
      model: 'assistant',
      messages: [{ role: 'user', content: text }],
      temperature: 0,
      stream,
    }),
  }).catch((error: unknown) => error as Error);

it(
  'with an answer that never ends, and one that never begins',
  async () => {
    await using node = await startNodeProcess({ args: GRACE });
    const [upstream, silent] = await Promise.all([startUpstream(), startSilent()]);
    onTestFinished(() => upstream.close());
    const { client } = node;
    await client.putProvider({ name: 'up', kind: 'openai', baseUrl: upstream.url });
    await client.putLanguageModel({
      name: 'assistant',
      routes: [{ provider: 'up', model: 'big' }],
      ttftMs: 60_000,
    });
    await client.putProvider({ name: 'silent', kind: 'openai', baseUrl: silent.url });
    await client.putLanguageModel({
      name: 'mute',
      routes: [{ provider: 'silent', model: 'big' }],
      ttftMs: 60_000,
    });
    const streaming = (await chat(node, 'forever', true)) as Response;
    const reader = streaming.body!.getReader();
    await reader.read();
    const mute = fetch(`${node.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'mute', messages: [{ role: 'user', content: 'a' }] }),
    }).catch((error: unknown) => error);
    await expect.poll(silent.asked, PATIENT).toBe(1);
    await expectEnd(node);
    await mute;
    await reader.cancel().catch(() => undefined);
    await expect.poll(() => upstream.open, PATIENT).toBe(0);
  },
  LONG,
);

let close: (() => Promise<void>) | undefined;
afterEach(async () => {
  await close?.();
  close = undefined;
});

it.each(['sender', 'receiver'] as const)(
  'of the %s of requests that one member has forwarded to the other',
  async (side) => {
    const fleet = await openSlowFleet();
    close = () => fleet.close();
    const [a, b] = [await fleet.start({ args: GRACE }), await fleet.start({ args: GRACE })];
    await deploySlow(a);
    await together(a, b);
    const load = startLoad(12, () =>
      askSlow(a).catch(async () => {
        await sleep(20);
        return 'gone';
      }),
    );
    const forwarded = async () => (await metricOf(a, 'skein_fleet_forwards_total'))['answered'];
    const before = (await forwarded()) ?? 0;
    await expect.poll(forwarded, PATIENT).toBeGreaterThan(before);
    await expectEnd(side === 'sender' ? a : b);
    await load.stop();
  },
  LONG,
);
