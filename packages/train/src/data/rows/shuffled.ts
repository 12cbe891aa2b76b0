/** Random orders that follow from a seed. */
import { seededRandom } from '@skein/onnx';

/** The numbers 0 … count − 1 in an order that depends only on the seed (Fisher and Yates). */
export function shuffled(count: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  shuffle(order, seed);
  return order;
}

/** Brings numbers into an order that depends only on the seed. */
export function shuffle(order: Uint32Array, seed: number): void {
  const random = seededRandom(seed);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
}
