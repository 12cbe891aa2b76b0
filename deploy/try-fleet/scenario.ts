/** The scenario: one model, callers that never stop, and a node that is killed and started again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@skein/api/client';
import { mlp, writeModel } from '@skein/onnx';
import type { Fleet } from './fleet.ts';

export interface Tried {
  readonly answered: number;
  /** With a code of Skein and a time to retry. */
  readonly refused: number;
  /** For each lost request, the failure in place of an answer. */
  readonly lost: readonly string[];
  /** Answers by node. */
  readonly byNode: Readonly<Record<string, number>>;
  /** From the deploy on one node to an answer of every node. */
  readonly spreadMs: number;
  /** From the start of the killed node to its next answer of its own. */
  readonly returnedMs: number;
}

const CALLERS = 6;
const START_MS = 120_000;
const BODY = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
});

export async function tryFleet(
  fleet: Fleet,
  durationMs: number,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<Tried> {
  const { nodes, url, key } = fleet;
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const infer = (at: string): Promise<Response> =>
    fetch(`${at}/v2/models/tiny/infer`, { method: 'POST', headers, body: BODY });
  const answers = async (at: string): Promise<boolean> =>
    (await infer(at).then(
      ({ status }) => status,
      () => 0,
    )) === 200;

  print('Starting three nodes …');
  for (const node of nodes) {
    await until(signal, () =>
      fetch(`${node.url}/v2/health/accepting`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  }
  await until(signal, () =>
    fetch(`${url}/v2/health/accepting`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  const client = createClient({ url, key });
  const content = new Uint8Array(writeModel(mlp({ sizes: [4, 8, 3], seed: 1 })));
  const { version } = await client.importModel({ name: 'tiny', content });
  await client.deploy({ name: 'tiny', version, settings: { objective: { latencyMs: 5000 } } });
  const deployedAt = performance.now();
  for (const node of nodes) await until(signal, () => answers(node.url));
  const spreadMs = Math.round(performance.now() - deployedAt);
  print(`Deployed through the balancer; every node serves it after ${spreadMs} ms.`);

  const seen = {
    answered: 0,
    refused: 0,
    lost: [] as string[],
    byNode: {} as Record<string, number>,
  };
  let isOver = false;
  async function call(): Promise<void> {
    while (!isOver) {
      try {
        const response = await infer(url);
        const body = (await response.json()) as { readonly code?: string };
        const node = response.headers.get('skein-node') ?? 'no node';
        if (response.ok) {
          seen.answered += 1;
          seen.byNode[node] = (seen.byNode[node] ?? 0) + 1;
        } else if (body.code !== undefined) seen.refused += 1;
        else seen.lost.push(`${response.status} by ${node}`);
      } catch (error) {
        seen.lost.push(String((error as Error).cause ?? error));
      }
    }
  }
  const calls = Array.from({ length: CALLERS }, call);
  const victim = nodes[1]!;
  try {
    await sleep(durationMs / 4, undefined, { signal });
    print(`Killing ${victim.name} …`);
    await victim.kill();
    await sleep(durationMs / 4, undefined, { signal });
    print(`Starting ${victim.name} again …`);
    const startedAt = performance.now();
    await victim.start();
    await until(signal, () => answers(victim.url));
    const returnedMs = Math.round(performance.now() - startedAt);
    print(`${victim.name} serves again after ${returnedMs} ms.`);
    await sleep(durationMs / 2, undefined, { signal });
    isOver = true;
    await Promise.all(calls);
    return { ...seen, spreadMs, returnedMs };
  } finally {
    isOver = true;
  }
}

/** @throws Error when the condition does not hold in time, and AbortError. */
async function until(signal: AbortSignal, holds: () => Promise<boolean>): Promise<void> {
  const by = performance.now() + START_MS;
  while (!(await holds())) {
    if (performance.now() > by) throw new Error('The fleet did not get ready in time.');
    await sleep(100, undefined, { signal });
  }
}
