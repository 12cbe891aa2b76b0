/**
 * The time to the first token of a route, predicted:
 *
 *   wait for a place + prompt tokens ÷ prefill rate + a quantile of the rest (network, first token)
 *
 * The rate is the slope of a least-squares line through recent times over prompt lengths, which
 * drops old requests; a slope that the times do not show is 0. The rest is the remainder of each
 * time after its prefill; the quantiles are taken from these.
 */
import { createRecentValues } from '@skein/api/recent-values';
import { BELIEVED_SAMPLES, KEPT_SAMPLES } from '../tuning.ts';

/** Weight that older requests keep with each new one: some 200 count. */
const DECAY = 0.995;

export interface FirstTokenModel {
  /** @param promptTokens as the provider counted them, or estimated. */
  record(ttftMs: number, promptTokens: number): void;
  /** Without the wait for a place; undefined until it is believed. */
  predict(promptTokens: number, quantile: number): number | undefined;
  /** Milliseconds per prompt token. */
  readonly msPerToken: number;
}

export function createFirstTokenModel(): FirstTokenModel {
  const rests = createRecentValues(KEPT_SAMPLES);
  // Decayed sums of 1, x, y, x², xy.
  const sums = { n: 0, x: 0, y: 0, xx: 0, xy: 0 };
  let msPerToken = 0;

  function fit(x: number, y: number): void {
    const values = { n: 1, x, y, xx: x * x, xy: x * y };
    for (const key of ['n', 'x', 'y', 'xx', 'xy'] as const)
      sums[key] = sums[key] * DECAY + values[key];
    const spread = sums.n * sums.xx - sums.x ** 2;
    // Prompts of one length show no slope.
    if (spread <= 1e-6 * sums.n * sums.xx) return;
    msPerToken = Math.max(0, (sums.n * sums.xy - sums.x * sums.y) / spread);
  }

  return {
    get msPerToken() {
      return msPerToken;
    },
    record(ttftMs, promptTokens) {
      fit(promptTokens, ttftMs);
      rests.add(Math.max(0, ttftMs - msPerToken * promptTokens));
    },
    predict(promptTokens, quantile) {
      if (rests.count < BELIEVED_SAMPLES) return undefined;
      return msPerToken * promptTokens + rests.quantile(quantile);
    },
  };
}
