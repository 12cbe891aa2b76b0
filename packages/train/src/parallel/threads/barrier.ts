/**
 * A barrier over shared memory: each rank counts its own arrivals in its own slot, and waits for
 * the slots of all other ranks. A timeout can therefore name the missing rank.
 *
 * No thread blocks: a waiting rank yields to the event loop, so that signals and the exit of
 * another thread are handled. A hand-over between two threads then takes about 15 µs.
 */
import { RankLost } from '../collective.ts';

export interface Barrier {
  /** @throws RankLost naming the rank that did not arrive in time, or that is known to be lost. */
  arrive(): Promise<void>;
  /** Lets every waiting rank fail. */
  breakFor(rank: number): void;
}

/** Bytes of shared memory that the barrier of `size` ranks takes. */
export function barrierBytes(size: number): number {
  return 4 * (size + 1);
}

export interface BarrierOptions {
  readonly rank: number;
  readonly size: number;
  /** Milliseconds to wait for another rank. */
  readonly timeoutMs: number;
}

/** @param memory `barrierBytes` of zeros, the same for all ranks. */
export function openBarrier(memory: SharedArrayBuffer, options: BarrierOptions): Barrier {
  const { rank, size, timeoutMs } = options;
  const slots = new Int32Array(memory);
  /** Number of the lost rank, plus 1. */
  const lost = size;
  const check = () => {
    const gone = Atomics.load(slots, lost);
    if (gone !== 0) throw new RankLost(gone - 1, 'has stopped.');
  };
  return {
    async arrive() {
      const goal = Atomics.add(slots, rank, 1) + 1;
      Atomics.notify(slots, rank);
      for (let other = 0; other < size; other++) {
        for (;;) {
          const seen = Atomics.load(slots, other);
          check();
          if (seen >= goal) break;
          const waiting = Atomics.waitAsync(slots, other, seen, timeoutMs);
          if (waiting.async && (await waiting.value) === 'timed-out') {
            throw new RankLost(other, `has not arrived for ${timeoutMs / 1000} s.`);
          }
        }
      }
    },
    breakFor(gone) {
      Atomics.compareExchange(slots, lost, 0, gone + 1);
      for (let slot = 0; slot < size; slot++) Atomics.notify(slots, slot);
    },
  };
}
