/** The example as a user runs it, and the text that it learns from. */
import type { Client } from '@skein/api/client';
import { seededRandom } from '@skein/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ExampleOutcome, runExample } from '../../scripts/testing/example.ts';
import { startTestNode, type TestNode } from '../../packages/server/src/testing/test-node.ts';
import { alphabetOf } from './alphabet.ts';
import { harbourScenes, isScene } from './corpus.ts';
import { generate } from './generate.ts';
import { SIZE } from './network.ts';

describe('the text', () => {
  it('is the same for the same seed, of sentences that hold to the rules', () => {
    const { text, entropy } = harbourScenes(50, 3);
    expect(harbourScenes(50, 3)).toEqual({ text, entropy });
    const sentences = text.trim().split('\n');
    expect(sentences.every(isScene)).toBe(true);
    expect(new Set(sentences).size).toBeGreaterThan(40);
    expect(isScene('the old cat watches the boat and barks.')).toBe(false);
    expect(isScene('the old cat watches the cat and meows.')).toBe(false);
  });

  it('names the character that a model does not have', () => {
    expect(() => alphabetOf('abc').encode('abd')).toThrow('The model has no "d".');
  });
});

describe('the command', () => {
  let node: TestNode;
  let client: Client;
  let outcome: ExampleOutcome;

  beforeAll(async () => {
    node = await startTestNode({ cores: 1, queues: [] });
    client = node.client;
    outcome = await start(
      '--epochs',
      '3',
      '--lines',
      '6',
      '--temperature',
      '0.2',
      '--server',
      node.url,
    );
  }, 180_000);

  afterAll(async () => {
    await node.close();
  });

  it('learns almost all that can be known of the next character', () => {
    expect(outcome).toMatchObject({ code: 0 });
    const losses = [...outcome.stderr.matchAll(/loss ([\d.]+)/g)].map(([, loss]) => Number(loss));
    const { entropy } = harbourScenes(2000, 1);
    expect(losses).toHaveLength(3);
    // 28 characters at random have 3.3 nats. The first ones of a window have nothing before them.
    expect(losses[0]).toBeGreaterThan(1.5);
    expect(losses.at(-1)).toBeLessThan(0.3);
    expect(losses.at(-1)).toBeGreaterThan(entropy);
  });

  it('writes sentences by the rules, sound and animal belonging together', () => {
    const sentences = outcome.stdout.trim().split('\n');
    expect(sentences).toHaveLength(6);
    // By chance one animal of six would have its own sound.
    expect(sentences.filter((each) => !isScene(each)).slice(2)).toEqual([]);
  });

  it('is served like any model: a beginning is written on, the same by its seed', async () => {
    const { metadata } = await client.getVersion({ name: 'scenes', version: '1' });
    const write = async (beginning: string): Promise<string> => {
      const writing = generate(client, beginning, {
        deployment: 'scenes',
        alphabet: alphabetOf(metadata['characters']!),
        length: SIZE.length,
        temperature: 0.1,
        random: seededRandom(1),
      });
      let text = beginning;
      for await (const character of writing) {
        if (character === '\n' || text.length > 100) return text;
        text += character;
      }
      return text;
    };
    const [goose, seal] = await Promise.all(['the wet goose', 'the wet seal'].map(write));
    expect(goose).toMatch(/ honks\.$/);
    expect(seal).toMatch(/ grunts\.$/);
    expect(await write('the wet goose')).toBe(goose);
  });
});

const start = (...args: string[]) => runExample(import.meta.dirname, ...args);
