import { expect, it } from 'vitest';
import { seededRandom } from '@skein/onnx';
import { Sampler, type SamplingOptions } from './sampler.ts';

/** The probability of each token, one step after the other over all of them. */
function probabilities(
  logits: Float32Array,
  { temperature, topK = 0, topP = 1, minP = 0 }: SamplingOptions,
): number[] {
  const most = Math.max(...logits);
  let shares = Array.from(logits, (logit) => Math.exp((logit - most) / temperature));
  const keep = (isKept: (token: number) => boolean): void => {
    shares = shares.map((share, token) => (isKept(token) ? share : 0));
    const total = shares.reduce((sum, share) => sum + share, 0);
    shares = shares.map((share) => share / total);
  };
  const order = [...logits.keys()].toSorted((a, b) => logits[b]! - logits[a]! || a - b);
  keep((token) => topK === 0 || order.indexOf(token) < topK);
  const before = (token: number): number =>
    order.slice(0, order.indexOf(token)).reduce((sum, each) => sum + shares[each]!, 0);
  keep((token) => topP === 1 || token === order[0] || before(token) < topP);
  keep((token) => shares[token]! >= minP * shares[order[0]!]!);
  return shares;
}

it('draws by top-k, top-p and min-p, one after the other', () => {
  const random = seededRandom(5);
  const sometimes = <Value>(value: Value): Value | undefined =>
    random.next() < 0.6 ? value : undefined;
  const draws = 1000;
  for (let seed = 0; seed < 200; seed++) {
    const size = 2 + Math.floor(random.next() * 8);
    const logits = Float32Array.from({ length: size }, () => random.next() * 6 - 3);
    const options = {
      temperature: 0.3 + random.next() * 1.5,
      seed,
      topK: sometimes(1 + Math.floor(random.next() * size)),
      topP: sometimes(random.next()),
      minP: sometimes(random.next() * 0.6),
    };
    const sampler = new Sampler(options, []);
    const drawn = Array.from({ length: size }, () => 0);
    for (let i = 0; i < draws; i++) drawn[sampler.next(logits.slice())]! += 1 / draws;
    for (const [token, share] of probabilities(logits, options).entries()) {
      const what = `token ${token} of ${JSON.stringify(options)}`;
      if (share === 0) expect(drawn[token], what).toBe(0);
      else expect(Math.abs(drawn[token]! - share), what).toBeLessThan(0.08);
    }
  }
});
