/** The event stream over real HTTP, read by the client. */
import { request, type IncomingMessage } from 'node:http';
import { createClient, type Client, type NodeEvent, type Run } from '@skein/api';
import { eventStreamBudget } from '@skein/http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleRun } from '../../../../state/src/runs/testing/sample-run.ts';
import { onnxFile, startManagement, type TestNode } from './testing/start-management.ts';

let node: TestNode;
let client: Client;
let abort: AbortController;

beforeEach(async () => {
  node = await startManagement();
  client = createClient({ url: node.url });
  abort = new AbortController();
});
afterEach(async () => {
  abort.abort();
  await node.close();
});

async function deploy(name: string): Promise<void> {
  await client.importModel({ name, content: onnxFile(1) });
  await client.deploy({ name, version: '1' });
}

/** Reads events until one matches. */
async function until(
  stream: AsyncGenerator<NodeEvent>,
  found: (event: NodeEvent) => boolean,
): Promise<NodeEvent[]> {
  const events: NodeEvent[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done === true) throw new Error('The stream ended.');
    events.push(next.value);
    if (found(next.value)) return events;
  }
}

const isHistory =
  (kind: string) =>
  (event: NodeEvent): boolean =>
    event.type === 'history' && event.data.kind === kind;

describe('an event stream', () => {
  it('starts with every deployment, then sends changes with their reason', async () => {
    await deploy('risk');
    await deploy('ocr');
    const stream = client.events({ signal: abort.signal });
    const opening = [(await stream.next()).value, (await stream.next()).value];
    expect(opening).toMatchObject([
      { type: 'deployment', data: { name: 'risk' } },
      { type: 'deployment', data: { name: 'ocr' } },
    ]);
    await client.changeSettings({ name: 'risk', settings: { maxQueue: 7 } });
    const events = await until(stream, isHistory('settings-changed'));
    const changed = events.find((event) => event.type === 'deployment');
    expect(changed).toMatchObject({ data: { name: 'risk', settings: { maxQueue: 7 } } });
    await client.undeploy({ name: 'ocr' });
    await until(stream, (event) => event.type === 'undeployed' && event.data.name === 'ocr');
  });

  it('starts with the runs in progress, and sends each step, epoch and end of them', async () => {
    const putRun = (id: string, change: Partial<Run>) =>
      client.putRun({ id, run: sampleRun(id, change) });
    const at = (second: number) => `2026-03-14T10:00:0${second}.000Z`;
    await putRun('over', { status: 'finished', updatedAt: at(0) });
    await putRun('under-way', { updatedAt: at(0) });
    const stream = client.events({ signal: abort.signal });
    const isRun = (event: NodeEvent) => event.type === 'run';
    const next = async () => (await until(stream, isRun)).at(-1);
    expect(await next()).toMatchObject({ data: { id: 'under-way', last: { epoch: 2 } } });
    const newest = { step: 17, loss: 0.125, learningRate: 0.01 };
    await putRun('under-way', { newest, updatedAt: at(1) });
    expect(await next()).toMatchObject({ data: { id: 'under-way', newest } });
    await putRun('under-way', { status: 'finished', updatedAt: at(2) });
    expect(await next()).toMatchObject({ data: { id: 'under-way', status: 'finished' } });
    // A run that begins and ends between two polls is sent as well.
    await putRun('short', { status: 'failed', updatedAt: at(3) });
    expect(await next()).toMatchObject({ data: { id: 'short', status: 'failed' } });
  });

  it('sends a deployment again only when it has changed', async () => {
    await deploy('risk');
    await deploy('other');
    const stream = client.events({ signal: abort.signal });
    await stream.next();
    const seen: string[] = [];
    // Each change of the other deployment polls both.
    for (let index = 1; index <= 5; index++) {
      if (index === 3) node.control.alter('risk', (view) => ({ ...view, reason: 'busy' }));
      await client.changeSettings({ name: 'other', settings: { maxQueue: index } });
      for (const event of await until(stream, isHistory('settings-changed'))) {
        if (event.type === 'deployment' && event.data.name === 'risk') seen.push(event.data.reason);
      }
    }
    expect(seen).toEqual(['busy']);
  });

  it('replays every decision after the reader’s last id', async () => {
    await deploy('risk');
    const [{ id } = { id: 0 }] = await node.state.history({ limit: 1 });
    // More than one poll reads, so that the older ones have to be read back.
    for (let index = 0; index < 120; index++) {
      await client.changeSettings({ name: 'risk', settings: { maxQueue: index + 1 } });
    }
    const stream = client.events({ signal: abort.signal, lastEventId: id });
    const ids: number[] = [];
    while (ids.length < 120) {
      const { value, done } = await stream.next();
      if (done === true) throw new Error('The stream ended.');
      if (value.type === 'history') ids.push(value.data.id);
    }
    expect(ids).toEqual(Array.from({ length: 120 }, (_, index) => id + 1 + index));
  });

  it('replays more entries than one step reads', async () => {
    await deploy('risk');
    const [{ id } = { id: 0 }] = await node.state.history({ limit: 1 });
    const count = 2300;
    for (let index = 0; index < count; index++) {
      // History is bounded for each deployment and kind.
      const deployment = `other-${index % 50}`;
      const entry = {
        deployment,
        kind: 'scaled',
        reason: 'load',
        details: {},
        actor: 'skein',
      } as const;
      await node.state.addHistory(entry);
    }
    const stream = client.events({ signal: abort.signal, lastEventId: id });
    let last = id;
    while (last < id + count) {
      const { value, done } = await stream.next();
      if (done === true) throw new Error('The stream ended.');
      if (value.type !== 'history') continue;
      expect(value.data.id).toBe(last + 1);
      last = value.data.id;
    }
  });

  it('sends events to a reader with an id from another data folder', async () => {
    await deploy('risk');
    const stream = client.events({ signal: abort.signal, lastEventId: 999_999 });
    await stream.next();
    await client.changeSettings({ name: 'risk', settings: { threads: 2 } });
    const events = await until(stream, isHistory('settings-changed'));
    expect(events.at(-1)).toMatchObject({ data: { deployment: 'risk' } });
  });

  it('gives a slow reader fewer snapshots, but every decision', async () => {
    await deploy('risk');
    const slow = await new Promise<IncomingMessage>((resolve) => {
      request(`${node.url}/api/v1/events`, resolve).end();
    });
    // Read nothing, so that the buffers between the two fill up.
    const big = 'x'.repeat(300_000);
    for (let index = 0; index < 60; index++) {
      node.control.alter('risk', (view) => ({ ...view, reason: `${index} ${big}` }));
      await client.changeSettings({ name: 'risk', settings: { maxQueue: index + 1 } });
      // A poll has happened once another reader has seen the change.
      const fast = client.events();
      await fast.next();
      await fast.return();
    }
    let text = '';
    slow.setEncoding('utf8');
    await new Promise<void>((resolve) => {
      slow.on('data', (chunk: string) => {
        text += chunk;
        if (text.split('event: history').length > 60) resolve();
      });
    });
    slow.destroy();
    const snapshots = text.split('event: deployment').length - 1;
    expect(snapshots).toBeLessThan(60);
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, each]) => Number(each));
    expect(ids).toEqual(Array.from({ length: 60 }, (_, index) => (ids[0] ?? 0) + index));
  });

  it('sends heartbeats while nothing happens', async () => {
    await node.close();
    node = await startManagement({ limits: { heartbeatMs: 1, eventTickMs: 5 } });
    const response = await fetch(`${node.url}/api/v1/events`, { signal: abort.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes(': still here\n\n')) {
      const next = await reader?.read();
      if (next?.done !== false) throw new Error('The stream ended.');
      text += next.value;
    }
    expect(text.startsWith('retry: 1000\n\n')).toBe(true);
  });

  it('is refused at the node’s bound on open streams', async () => {
    await node.close();
    node = await startManagement({ eventStreams: eventStreamBudget(1) });
    await deployAgain();
    const first = createClient({ url: node.url }).events();
    await first.next();
    const second = await fetch(`${node.url}/api/v1/events`);
    expect(second.status).toBe(429);
    expect(second.headers.get('retry-after')).toBe('5');
    await first.return();
  });

  async function deployAgain(): Promise<void> {
    client = createClient({ url: node.url });
    await deploy('risk');
  }
});
