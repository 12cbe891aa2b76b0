/**
 * The numbers that rand-k sends: the same random subset for every site of a round, from a public
 * seed, so that masked sums of them line up. Top-k cannot do that: the positions of the largest
 * numbers differ by site, and reveal some of its data.
 */
import { chacha20 } from '@noble/ciphers/chacha.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { secureRandom, type SecureRandom } from '../../privacy/secure-random.ts';
import { dataError } from '../../train-error.ts';

const LEAST_SEED = 16;
/** Bytes of a block of ChaCha20. */
const BLOCK_BYTES = 64;

/**
 * The first `count` positions of a random order of `length` (Fisher and Yates).
 * @throws TrainError `data` without a seed of at least 16 bytes.
 */
export function chosenEntries(
  length: number,
  count: number,
  { seed, round }: { readonly seed: Uint8Array | undefined; readonly round: number },
): Uint32Array {
  if (seed === undefined || seed.length < LEAST_SEED) {
    throw dataError(`Rand-k needs the run's public seed of ${LEAST_SEED} bytes or more.`);
  }
  const random = publicRandom(seed, round);
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + random.below(length - i);
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order.subarray(0, count);
}

/** The stream of ChaCha20 under the key SHA-256(seed ‖ round): all who have the seed draw the same. */
function publicRandom(seed: Uint8Array, round: number): Pick<SecureRandom, 'below'> {
  const material = new Uint8Array(seed.length + 8);
  material.set(seed);
  new DataView(material.buffer).setFloat64(seed.length, round, true);
  const key = sha256(material);
  let block = 0;
  return secureRandom((into) => {
    chacha20(key, new Uint8Array(12), new Uint8Array(into.length), into, block);
    block += into.length / BLOCK_BYTES;
  });
}
