import { getEventListeners } from 'node:events';
import { SkeinError } from '@skein/api';
import type { Cancellation, Inference } from '@skein/serving';
import { expect, it } from 'vitest';
import { encodeTexts } from './encoder.ts';

const ENCODER = { deployment: 'e', input: 'text', inputRank: 1, output: 'vector' };

/** Answers what it is told to; its last cancellation is kept. */
function inferenceOf(answer: () => Promise<unknown>) {
  const told: { cancellation?: Cancellation | undefined } = {};
  const infer = ({ cancellation }: { readonly cancellation?: Cancellation | undefined }) => {
    told.cancellation = cancellation;
    return answer();
  };
  return { told, inference: { infer } as unknown as Inference };
}

const encode = (inference: Inference, signal: AbortSignal) =>
  encodeTexts(inference, ENCODER, ['a'], { id: 'r', tenant: 't', signal });

it.each([
  [
    'answered',
    async () => ({
      outputs: new Map([
        ['vector', { type: 'float32', shape: [1, 2], bytes: Buffer.from(new Float32Array(2)) }],
      ]),
    }),
  ],
  ['failed', () => Promise.reject(new SkeinError('INTERNAL', 'x'))],
])('leaves no listener at the signal of a call that has %s', async (_, answer) => {
  const { signal } = new AbortController();
  await Promise.allSettled([encode(inferenceOf(answer).inference, signal)]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

it.each(['before', 'during'])('is cancelled by a signal that is aborted %s the call', (when) => {
  const gone = new AbortController();
  if (when === 'before') gone.abort();
  const { inference, told } = inferenceOf(() => new Promise(() => {}));
  void encode(inference, gone.signal);
  gone.abort();
  expect(told.cancellation?.cancelled).toBe(true);
});
