/** The example as a user runs it: a command that calls a node. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runExample } from '../../scripts/testing/example.ts';
import { startTestNode, type TestNode } from '../../packages/server/src/testing/test-node.ts';
import type { Segment } from './segments.ts';
import { speechSegments } from './vad.ts';

const root = join(import.meta.dirname, '../..');
const recording = 'examples/vad/samples/three-sentences.wav';
const placed = JSON.parse(
  readFileSync(join(import.meta.dirname, 'samples/expected.json'), 'utf8'),
) as Segment[];

let node: TestNode;

beforeAll(async () => {
  node = await startTestNode();
}, 60_000);

afterAll(async () => {
  await node.close();
});

const command = (...args: string[]) => runExample(import.meta.dirname, ...args);

function places(segments: readonly Segment[]): boolean[] {
  return segments.flatMap(({ startMs, endMs }, index) => [
    // 30 ms of padding on top of the tolerance of 100.
    Math.abs(startMs - placed[index]!.startMs) < 130,
    Math.abs(endMs - placed[index]!.endMs) < 130,
  ]);
}

describe('the command', () => {
  it('deploys the model and prints the segments', async () => {
    const first = await command(recording, '--server', node.url);
    expect(first.stderr).toContain('deploying vad');
    expect(first.stderr).toContain('3 segments');
    expect(first.stdout.trim().split('\n').length).toBe(3);
    expect(first.code).toBe(0);

    const second = await command(recording, '--json', '--server', node.url);
    expect(second.stderr).toBe('');
    expect(places(JSON.parse(second.stdout) as Segment[])).toEqual(
      Array.from({ length: 6 }, () => true),
    );
  });

  it.each([
    [[], 2, 'Name one WAV file'],
    [['a.wav', 'b.wav'], 2, 'Name one WAV file'],
    [['--loud', 'a.wav'], 2, '--loud'],
    [['missing.wav'], 1, 'missing.wav cannot be read'],
    [[recording, '--server', 'http://127.0.0.1:9'], 1, 'NODE_UNREACHABLE'],
  ])('with %j ends with %i and gives the reason', async (args, code, reason) => {
    const outcome = await command(...args);
    expect(outcome.stderr).toContain(reason);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout).toBe('');
  });

  it('names the fault of the file', async () => {
    const outcome = await command('examples/vad/README.md', '--server', node.url);
    expect(outcome.stderr).toContain('not a WAV file');
    expect(outcome.code).toBe(1);
  });
});

describe('streams', () => {
  it('do not disturb each other, because each carries its own state', async () => {
    const { client } = node;
    const wav = readFileSync(join(root, recording));
    const listen = async (): Promise<Segment[]> => {
      const segments: Segment[] = [];
      for await (const segment of speechSegments(client, wav)) segments.push(segment);
      return segments;
    };
    const alone = await listen();
    expect(await Promise.all([listen(), listen(), listen()])).toEqual([alone, alone, alone]);
  });
});
