/** A node that is coming back: it is not ready before it is, and knows its deployments from its first answer on. */
import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { ErrorBody } from '@skein/api';
import { mlp } from '@skein/onnx';
import { startNodeProcess, temporaryFolder } from '../testing/node-process.ts';

const NAMES = Array.from({ length: 8 }, (_, index) => `risk-${index}`);

it('from the first connection on, a request is answered or told to wait', async () => {
  const folder = temporaryFolder();
  const model = mlp({ sizes: [4, 512, 512, 3], seed: 1 });
  let port: number;
  {
    await using node = await startNodeProcess({ folder });
    port = node.port;
    for (const name of NAMES) {
      await node.deploy(name, model, { objective: { latencyMs: 60_000 } });
    }
  }
  const url = `http://127.0.0.1:${port}`;
  const body = JSON.stringify({
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
  });
  const seen = new Set<string>();
  let over = false;

  /** What one request meets; a refused connection is no answer. */
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
      // Ready said before an answer must hold for the answer.
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
  rmSync(folder, { recursive: true, force: true });
});
