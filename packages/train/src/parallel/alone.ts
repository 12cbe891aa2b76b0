/** A single rank without peers: sums and gathered values are its own. */
import type { Collective } from './collective.ts';
import { bytesPerNumber, numbersIn } from './numbers.ts';

export function alone(): Collective {
  const memory: Collective['own'] = (type, length) =>
    numbersIn(type, new ArrayBuffer(length * bytesPerNumber(type)), length);
  return {
    rank: 0,
    size: 1,
    overlap: 'none',
    own: memory,
    common: memory,
    part: (length) => [0, length],
    sum: async (own, into) => into.set(own),
    publish: async () => undefined,
    gather: async (own, used) => [own.slice(0, used)],
    close: async () => undefined,
  };
}
