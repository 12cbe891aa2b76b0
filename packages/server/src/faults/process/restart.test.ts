/** A node that restarts: it reports ready only when it is, and lists its deployments from its first answer on. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ErrorBody } from '@skein/api';
import { mlp } from '@skein/onnx';
import { startNodeProcess } from '../../testing/node-process.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

const NAMES = Array.from({ length: 8 }, (_, index) => `risk-${index}`);

it('from the first connection on, a request is answered or gets a retry time', async () => {
  const folder = testFolder();
  const model = mlp({ sizes: [4, 512, 512, 3], seed: 1 });
  let port: number;
  {
    await using node = await startNodeProcess({ folder });
    port = node.port;
    for (const name of NAMES) {
      await node.deploy(name, model, { objective: { latencyMs: 60_000 }, oversubscribe: true });
    }
  }
  const url = `http://127.0.0.1:${port}`;
  const body = JSON.stringify({
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
  });
  const seen = new Set<string>();
  let over = false;

  /** Outcome of one request; a refused connection is not an answer. */
  async function meet(path: string, init?: RequestInit): Promise<string | undefined> {
    try {
      const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(20_000) });
      const answer = (await response.json()) as Partial<ErrorBody>;
      return `${response.status} ${answer.code ?? ''}`;
    } catch {
      return undefined;
    }
  }
  async function watch(name: string): Promise<void> {
    let answered = false;
    while (!answered && !over) {
      const ready = await meet('/v2/health/ready');
      const answer = await meet(`/v2/models/${name}/infer`, { method: 'POST', body });
      answered = answer === '200 ';
      if (answer !== undefined) seen.add(`infer ${answer}`);
      // A ready probe before an answer must hold for the answer.
      if (ready === '200 ' && answer !== undefined && !answered) seen.add(`ready, but ${answer}`);
    }
  }
  const watching = Promise.all(NAMES.map(watch));
  await using node = await startNodeProcess({ folder, port });
  await watching;
  over = true;
  expect(node.port).toBe(port);
  const allowed = new Set(['infer 200 ', 'infer 503 NO_REPLICA']);
  expect([...seen].filter((answer) => !allowed.has(answer))).toEqual([]);
  expect(seen).toContain('infer 200 ');
});

it('a model file that has changed on the disk is not served; other models are, and a new deploy repairs it', async () => {
  const folder = testFolder();
  const settings = { objective: { latencyMs: 60_000 } };
  const good = mlp({ sizes: [4, 8, 3], seed: 1 });
  const bad = mlp({ sizes: [4, 8, 3], seed: 2 });
  const x = { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) };
  let digest: string;
  {
    await using node = await startNodeProcess({ folder });
    await node.deploy('good', good, settings);
    ({ digest } = (await node.deploy('bad', bad, settings)).targets[0]!);
  }
  const file = join(folder, '.skein/artifacts', digest);
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  chmodSync(file, 0o600);
  writeFileSync(file, bytes);

  await using node = await startNodeProcess({ folder });
  expect(await node.client.getDeployment({ name: 'bad' })).toMatchObject({
    status: 'failed',
    reason: expect.stringContaining(digest) as unknown,
  });
  await expect(node.client.infer('bad', { x })).rejects.toMatchObject({ code: 'NO_REPLICA' });
  expect((await node.client.infer('good', { x })).version).toBe('1');
  expect(await node.deploy('bad', bad)).toMatchObject({ status: 'ready' });
  expect((await node.client.infer('bad', { x })).version).toBe('1');
});
