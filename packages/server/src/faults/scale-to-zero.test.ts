/** A deployment without replicas on a real node: a cold request waits for one if its deadline allows, or gets an error. */
import { expect, it } from 'vitest';
import type { ErrorBody, NodeEvent } from '@skein/api';
import { mlp } from '@skein/onnx';
import { replicaProcessesOf } from '../testing/replica-processes.ts';
import { startNodeProcess, type NodeProcess } from '../testing/node-process.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';

const X = { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) };
const BODY = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
});

it('cold requests start a replica, all of them are answered, and the history has the reason', async () => {
  const folder = testFolder();
  {
    await using node = await startNodeProcess({ folder });
    await node.deploy('risk', mlp({ sizes: [4, 8, 3], seed: 1 }), {
      objective: { latencyMs: 30_000 },
      replicas: { min: 0, max: 1 },
    });
    expect((await node.stop()).code).toBe(0);
  }
  await using node = await startNodeProcess({ folder });
  const view = () => node.client.getDeployment({ name: 'risk' });
  expect(await view()).toMatchObject({ status: 'idle', targets: [{ replicas: [] }] });
  expect((await fetch(`${node.url}/v2/models/risk/ready`)).status).toBe(200);

  const impatient = await cold(node, 50);
  expect([impatient.status, impatient.body.code]).toEqual([
    503,
    expect.stringMatching(/^(NO_REPLICA|DEADLINE_UNREACHABLE)$/),
  ]);
  expect(impatient.body.retryAfterMs).toBeGreaterThan(0);

  const answers = await Promise.all(
    Array.from({ length: 20 }, () => node.client.infer('risk', { x: X })),
  );
  expect(answers.map(({ version }) => version)).toEqual(answers.map(() => '1'));
  expect(await view()).toMatchObject({ status: 'ready' });
  const { entries } = await node.client.deploymentHistory({ name: 'risk', kind: 'scaled' });
  expect(entries[0]).toMatchObject({
    actor: 'skein',
    reason: 'a request arrived while there was no replica',
    details: { from: 0, to: 1 },
  });
});

it(
  'an idle replica ends its process, and the next request starts a new one',
  { timeout: 60_000 },
  async () => {
    await using node = await startNodeProcess();
    await node.deploy('risk', mlp({ sizes: [4, 8, 3], seed: 1 }), {
      objective: { latencyMs: 30_000 },
      replicas: { min: 0, max: 1, idleMs: 1000 },
      isolation: 'process',
    });
    const stop = new AbortController();
    // From the first entry of the history on.
    const events = node.client.events({ signal: stop.signal, lastEventId: 0 });
    for (let round = 0; round < 2; round++) {
      await node.client.infer('risk', { x: X });
      const { data } = await next(
        events,
        (event) =>
          event.type === 'history' &&
          event.data.kind === 'scaled' &&
          event.data.details['to'] === 0,
      );
      expect(data).toMatchObject({
        actor: 'skein',
        reason: expect.stringMatching(/^no request for \d+ s$/) as string,
      });
      await expect
        .poll(() => node.client.getDeployment({ name: 'risk' }), { timeout: 10_000 })
        .toMatchObject({ status: 'idle', targets: [{ replicas: [] }] });
      if (process.platform === 'linux')
        await expect.poll(() => replicaProcessesOf(node.pid)).toEqual([]);
    }
    stop.abort();
    const { entries } = await node.client.deploymentHistory({ name: 'risk', kind: 'scaled' });
    expect(entries.map(({ details }) => details['to'])).toEqual([0, 1, 0]);
  },
);

async function next(
  events: AsyncGenerator<NodeEvent, void, undefined>,
  matches: (event: NodeEvent) => boolean,
): Promise<NodeEvent> {
  for (;;) {
    const { value } = await events.next();
    if (value === undefined) throw new Error('The events ended.');
    if (matches(value)) return value;
  }
}

async function cold(
  { url }: NodeProcess,
  timeoutMs: number,
): Promise<{ status: number; body: Partial<ErrorBody> }> {
  const response = await fetch(`${url}/v2/models/risk/infer`, {
    method: 'POST',
    headers: { 'skein-timeout-ms': String(timeoutMs) },
    body: BODY,
  });
  return { status: response.status, body: (await response.json()) as Partial<ErrorBody> };
}
