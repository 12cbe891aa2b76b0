import { expect, it } from 'vitest';
import type { Sampling } from '../contract.ts';
import { answerOf } from './answer-form.ts';
import { answerOfRows, type RowModel } from './row-answer.ts';

const MODEL: RowModel = {
  promptOf: () => [1],
  vocabulary: { size: 0, bytes: () => new Uint8Array(0), isSpecial: () => false },
  ends: new Set(),
  defaults: {},
  trie: () => {
    throw new Error('No grammar was asked for.');
  },
};

async function sampled(sampling: Sampling): Promise<Sampling | undefined> {
  const request = { model: 'm', messages: [], prompt: 'x', stream: true, sampling };
  let found: Sampling | undefined;
  const events = answerOfRows(MODEL, request, answerOf(request), async function* (row) {
    found = row.sampling;
    const counts = { promptTokens: 1, cachedTokens: 0, answerTokens: 0 };
    yield { text: '', end: { reason: 'stop' as const, ...counts } };
  });
  for await (const _ of events);
  return found;
}

it('refuses a repetition penalty of 0, by which no logit can be divided', async () => {
  await expect(sampled({ repetitionPenalty: 0 })).rejects.toMatchObject({
    code: 'GENERATION_UNSUPPORTED',
    param: 'repetition_penalty',
  });
  expect(await sampled({ repetitionPenalty: 0.5 })).toMatchObject({ repetitionPenalty: 0.5 });
});
