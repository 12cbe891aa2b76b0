/**
 * Compressed exchanges: each rank sends its numbers in a form that takes fewer bytes, and adds the
 * remainder to the next exchange (*error feedback*), so that nothing is lost, only delayed.
 *
 * Without error feedback small numbers are never sent, and training may stall or diverge:
 * Karimireddy et al., "Error Feedback Fixes SignSGD and other Gradient Compression Schemes" (ICML
 * 2019).
 *
 * The compressed numbers are sent to every rank unchanged and summed there in the order of ranks:
 * the sums have the same bits everywhere. The head and the statistics are few, and are summed in
 * full.
 */
import type { Collective } from '../collective.ts';
import type { Numbers } from '../numbers.ts';
import type { Replica } from '../replica.ts';
import type { Exchange } from '../stepper.ts';
import { eightBit } from './eight-bit.ts';
import { topK } from './top-k.ts';

export type Compression = (
  | { readonly kind: '8-bit' }
  /** Sends the largest ones only; `share` of them, in (0, 1]. */
  | { readonly kind: 'top-k'; readonly share: number }
) & {
  /** Adds the remainder to the next exchange; default true. */
  readonly errorFeedback?: boolean;
};

/** @throws RangeError when an option is out of its range. */
export function compressedExchange(
  collective: Collective,
  { length, gradientsAt, plan: { type } }: Replica,
  { errorFeedback = true, ...form }: Compression,
): Exchange {
  const codec = form.kind === '8-bit' ? eightBit(length) : topK(length, form.share);
  const head = collective.own(type, gradientsAt);
  const headSums = collective.common(type, gradientsAt);
  const sent = collective.own('float32', codec.words);
  const words = new Int32Array(sent.buffer, sent.byteOffset, sent.length);
  const waiting = new Float64Array(length);
  const total = new Float64Array(length);
  const array = type === 'float64' ? Float64Array : Float32Array;
  const sums: Numbers = new array(gradientsAt + length);
  async function finish(own: Numbers): Promise<Numbers> {
    head.set(own.subarray(0, gradientsAt));
    if (!errorFeedback) waiting.fill(0);
    for (let i = 0; i < length; i++) waiting[i]! += own[gradientsAt + i]!;
    const used = codec.encode(waiting, words);
    codec.addTo(waiting, words.subarray(0, used), -1);
    await collective.sum(head, headSums);
    sums.set(headSums);
    total.fill(0);
    for (const { buffer, byteOffset, length: count } of await collective.gather(sent, used)) {
      codec.addTo(total, new Int32Array(buffer, byteOffset, count), 1);
    }
    sums.set(total, gradientsAt);
    return sums;
  }
  return { finish };
}
