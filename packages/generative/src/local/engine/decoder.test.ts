import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { llamaModel } from '../build/llama-graph.ts';
import { readDecoder } from '../model/graph.ts';
import { referenceForward, referenceGreedy } from '../testing/reference.ts';
import { storiesMissing, storiesWeights } from '../testing/stories.ts';
import { openDecoder, type Decoder } from './decoder.ts';

const PROMPT = [1, 403, 407, 261, 378];
const argmax = (logits: Float32Array): number => logits.indexOf(Math.max(...logits));

describe.skipIf(storiesMissing !== undefined)(`stories260K ${storiesMissing ?? ''}`, () => {
  const model = storiesWeights;
  let decoder: Decoder;
  beforeAll(async () => {
    const { shape, weights } = model();
    const graph = readDecoder(llamaModel(shape, weights, { weights: 'float32' }));
    decoder = await openDecoder({ graph, folder: '.', threads: 1, rows: 4, context: 512 });
  });
  afterAll(() => decoder.close());

  it('has the logits of the naive forward pass', async () => {
    const forward = referenceForward(model());
    const expected = PROMPT.map((token, position) => forward(token, position));
    const logits = await decoder.prompt({ row: 0, past: 0, tokens: PROMPT }, PROMPT.length);
    for (const [i, each] of expected.entries()) {
      for (const [j, value] of each.entries()) {
        expect(Math.abs(logits[i * decoder.vocabulary + j]! - value)).toBeLessThan(1e-3);
      }
    }
  });

  it('continues greedily as the naive forward pass, to the token, over 200 tokens', async () => {
    const expected = referenceGreedy(model(), PROMPT, 200);
    // The prompt in two pieces: the second one has a past.
    await decoder.prompt({ row: 0, past: 0, tokens: PROMPT.slice(0, 2) }, 1);
    let logits = await decoder.prompt({ row: 0, past: 2, tokens: PROMPT.slice(2) }, 1);
    const tokens: number[] = [];
    for (let past = PROMPT.length; ; past++) {
      tokens.push(argmax(logits));
      if (tokens.length === 200) break;
      logits = await decoder.step([past], tokens.slice(-1));
    }
    expect(tokens).toEqual(expected);
  });
});
