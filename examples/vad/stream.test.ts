/**
 * The stream over gRPC from another language: Python's grpcio gets the same results as the example
 * over HTTP.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireComponent } from '../../scripts/testing/components.ts';
import { startTestNode, type TestNode } from '../../packages/server/src/testing/test-node.ts';
import { deployExample } from './deploy.ts';
import { speechProbabilities, stepOn, WINDOW_MS } from './model.ts';
import { segmentsOf, type Segment } from './segments.ts';
import { readWav } from './wav.ts';

const grpcio = requireComponent('python3-grpcio');
const recording = join(import.meta.dirname, 'samples/three-sentences.wav');
const PATIENCE_MS = 30_000;

describe.skipIf(grpcio.skip)('one stream over gRPC', () => {
  let node: TestNode;

  beforeAll(async () => {
    node = await startTestNode();
    await deployExample(node.client);
  }, 60_000);

  afterAll(async () => {
    await node.close();
  });

  function stream(...args: string[]): Promise<{ stdout: string; stderr: string }> {
    const script = join(import.meta.dirname, 'stream.py');
    return new Promise((resolve) => {
      execFile('/usr/bin/python3', [script, ...args], (_, stdout, stderr) =>
        resolve({ stdout, stderr }),
      );
    });
  }

  it('gives the probabilities of the stream over HTTP, and the segments that were placed', async () => {
    const { client } = node;
    const { samples } = readWav(await readFile(recording));
    const expected: number[] = [];
    const step = stepOn(client, { timeoutMs: PATIENCE_MS });
    for await (const probability of speechProbabilities(samples, step)) expected.push(probability);

    const { stdout } = await stream(recording, '--probabilities', '--server', node.grpcUrl);
    const probabilities = JSON.parse(stdout) as number[];
    expect(probabilities).toHaveLength(expected.length);
    const distances = probabilities.map((probability, i) => Math.abs(probability - expected[i]!));
    expect(Math.max(...distances)).toBeLessThan(1e-6);

    const placed = JSON.parse(
      await readFile(join(import.meta.dirname, 'samples/expected.json'), 'utf8'),
    ) as Segment[];
    const segments: Segment[] = [];
    for await (const segment of segmentsOf(probabilities, WINDOW_MS)) segments.push(segment);
    expect(segments).toHaveLength(placed.length);
  });

  it('prints when speech begins and ends', async () => {
    const { stdout } = await stream(recording, '--server', node.grpcUrl);
    const lines = stdout.trim().split('\n');
    expect(lines.map((line) => line.split('  ').at(-1))).toEqual([
      'begins',
      'ends',
      'begins',
      'ends',
      'begins',
      'ends',
    ]);
  });

  it('gives the reason of a failure', async () => {
    expect((await stream(recording, '--server', '127.0.0.1:9')).stderr).toMatch(/^error: /);
    const readme = join(import.meta.dirname, 'README.md');
    expect((await stream(readme, '--server', node.grpcUrl)).stderr).toContain('RIFF');
  });
});
