/**
 * The numbers that rand-k sends: the same random subset for every site of a round, from a public
 * seed, so that masked sums of them line up. Top-k cannot do that: the positions of the largest
 * numbers differ by site, and tell of its data.
 */
import { chacha20 } from '@noble/ciphers/chacha.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { TrainError } from '../../train-error.ts';

const LEAST_SEED = 16;
/** Words of the key stream that are computed at once. */
const BLOCK = 4096;

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
    throw new TrainError(
      'data',
      `Rand-k needs the run's public seed of ${LEAST_SEED} bytes or more.`,
    );
  }
  const next = keyStream(seed, round);
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + below(length - i, next);
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order.subarray(0, count);
}

/** Words of ChaCha20 under the key SHA-256(seed ‖ round). */
function keyStream(seed: Uint8Array, round: number): () => number {
  const material = new Uint8Array(seed.length + 8);
  material.set(seed);
  new DataView(material.buffer).setFloat64(seed.length, round, true);
  const key = sha256(material);
  const zeros = new Uint8Array(BLOCK * 4);
  let [at, block] = [BLOCK, 0];
  let view = new DataView(zeros.buffer);
  return () => {
    if (at === BLOCK) {
      const bytes = chacha20(key, new Uint8Array(12), zeros, undefined, (block++ * BLOCK) / 16);
      view = new DataView(bytes.buffer, bytes.byteOffset);
      at = 0;
    }
    return view.getUint32(at++ * 4, true);
  };
}

function below(bound: number, next: () => number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound);
  for (;;) {
    const word = next();
    if (word < limit) return word % bound;
  }
}
