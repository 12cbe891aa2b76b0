/**
 * `node bench/src/limits/event-loop.ts [PATTERN]`: how long a single costly request blocks the
 * event loop of a node, in processor time of its thread, because wall time on a busy machine
 * includes other processes.
 *
 * The node runs in this process, the client in another one.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@skein/api';
import { GraphBuilder, writeModel, type ElementType } from '@skein/onnx';
import { startNode } from '@skein/server';
import { ASSISTANT, COSTLY_REQUESTS, ECHOES } from './costly-bodies.ts';

/** Bound of every request, in milliseconds. */
const BOUND_MS = 100;
const AS_CLIENT = '--client';

const ANSWER = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

/** The upstream of the language model. @returns its port. */
async function runUpstream(): Promise<number> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.setHeader('content-type', 'application/json').end(ANSWER);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** Sends the requests of the received indexes, and answers each with its status. */
function runClient(port: number): void {
  process.on('message', (index: number) => {
    const { method, path, headers, body } = COSTLY_REQUESTS[index]!;
    const bytes = body();
    process.send!('sending');
    // A connection that is closed after its answer is an error after a response.
    let isOver = false;
    const report = (status: string): void => {
      if (!isOver) process.send!(status);
      isOver = true;
    };
    const options = { host: '127.0.0.1', port, method, path, agent: false };
    const sent = request({
      ...options,
      headers: { ...headers, 'content-length': bytes.length, 'skein-timeout-ms': '60000' },
    });
    sent.on('response', (response) => {
      response.resume();
      response.on('close', () => report(`${response.statusCode}`));
    });
    sent.on('error', (error) => report(error.message));
    sent.end(bytes);
  });
}

function echo(type: ElementType): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder('echo');
  const x = graph.input('x', type, ['n']);
  graph.output('y', type, ['n']);
  graph.node('Identity', [x], {}, { outputs: ['y'] });
  return new Uint8Array(writeModel(graph.model()));
}

async function measure(pattern: RegExp): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-event-loop-'));
  const node = await startNode({
    dataFolder: folder,
    cores: Object.keys(ECHOES).length,
    queues: [],
  });
  const client = createClient({ url: node.url });
  for (const [name, type] of Object.entries(ECHOES)) {
    const { version } = await client.importModel({ name, content: echo(type) });
    const settings = { objective: { latencyMs: 60_000 }, replicas: { min: 1, max: 1 } };
    await client.deploy({ name, version, settings });
  }
  const sender = fork(import.meta.filename, [AS_CLIENT, new URL(node.url).port]);
  const [upstreamPort] = (await once(sender, 'message')) as [number];
  const baseUrl = `http://127.0.0.1:${upstreamPort}/v1`;
  await client.putProvider({ name: 'up', kind: 'openai', baseUrl });
  await client.putLanguageModel({
    name: ASSISTANT,
    routes: [{ provider: 'up', model: 'm', price: { input: 1, output: 10 } }],
    ttftMs: 60_000,
  });

  const used = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = used();
  let longest = 0;
  const timer = setInterval(() => {
    longest = Math.max(longest, used() - last);
    last = used();
  }, 1);
  for (const [index, { name }] of COSTLY_REQUESTS.entries()) {
    if (!pattern.test(name)) continue;
    await sleep(100);
    sender.send(index);
    await once(sender, 'message');
    [last, longest] = [used(), 0];
    const [status] = (await once(sender, 'message')) as [string];
    const mark = longest > BOUND_MS ? ' over' : '';
    console.log(`${name.padEnd(48)} ${longest.toFixed(0).padStart(5)} ms  ${status}${mark}`);
    if (longest > BOUND_MS) process.exitCode = 1;
  }
  clearInterval(timer);
  sender.kill();
  await node.drain();
  await rm(folder, { recursive: true, force: true });
}

const [first = '', port] = process.argv.slice(2);
if (first === AS_CLIENT) {
  runClient(Number(port));
  process.send!(await runUpstream());
} else await measure(new RegExp(first));
