/**
 * The noise of a helper for a sum: fresh, or correlated over rounds where rows take turns. Correlated noise needs that of
 * earlier rounds, also after a restart, so it comes from a generator whose key only this helper can derive: AES-256 in
 * counter mode (SP 800-38A), keyed by HKDF (RFC 5869) of its sealing secret.
 *
 * The sum is of whole levels, and noise is rounded to levels: rounding x + noise is what is done to a Gaussian release
 * after it, so the accountant of Gaussians holds.
 */
import { createCipheriv, hkdfSync } from 'node:crypto';
import { correlatedNoise, secureRandom, type SecureRandom } from '@skein/train';
import { noiseShare, residueBits, residueCount } from '@skein/train/federated';
import type { CommitteeTerms } from '../plan/committee-terms.ts';
import { turnsOf } from '../plan/turns.ts';

export interface HelperNoiseOptions extends Pick<
  CommitteeTerms,
  'run' | 'plan' | 'planDigest' | 'encoding'
> {
  /** The sealing secret of the helper, 32 bytes. */
  readonly secret: Uint8Array;
}

/** @returns the residues of the noise of a round. */
export function helperNoise(options: HelperNoiseOptions): (round: number) => Uint32Array {
  const { run, plan, planDigest, encoding, secret } = options;
  const bands = turnsOf(plan);
  if (bands === undefined) return () => noiseShare(encoding);
  const info = `skein correlated noise ${run}`;
  const key = new Uint8Array(hkdfSync('sha256', secret, Buffer.from(planDigest, 'hex'), info, 32));
  const noise = correlatedNoise({
    bands,
    length: residueCount(encoding),
    deviation: Math.sqrt(encoding.noise!.variance),
    random: (round) => streamOf(key, round),
  });
  const modulus = 2 ** residueBits(encoding);
  return (round) =>
    Uint32Array.from(noise.of(round), (each) => {
      const level = Math.round(each) % modulus;
      return level < 0 ? level + modulus : level;
    });
}

/** Another stream for each round: the round is the first half of the counter. */
function streamOf(key: Uint8Array, round: number): SecureRandom {
  const start = Buffer.alloc(16);
  start.writeBigUInt64BE(BigInt(round));
  const cipher = createCipheriv('aes-256-ctr', key, start);
  return secureRandom((into) => into.set(cipher.update(new Uint8Array(into.length))));
}
