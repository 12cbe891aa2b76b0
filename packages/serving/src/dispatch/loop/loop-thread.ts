/** State that the loops of one node share: its thread, and the memory of the models on it. */
import { usableMemoryBytes } from '@skein/api/machine';
import { replicaTuning } from '../replica-tuning.ts';

export class LoopThread {
  /** Runs of all loops, wherever they run. */
  running = 0;
  #modelBytes = 0;
  #hasArrival = false;

  /** To be called for every request. @returns whether nothing runs, and no other has come in this iteration of the event loop. */
  arrivesAlone(): boolean {
    if (this.running > 0 || this.#hasArrival) return false;
    this.#hasArrival = true;
    setImmediate(() => {
      this.#hasArrival = false;
    });
    return true;
  }

  /** Bytes of weights that still fit. */
  get freeBytes(): number {
    const { allBytes, memoryShare } = replicaTuning.inline;
    return Math.min(allBytes, usableMemoryBytes() * memoryShare) - this.#modelBytes;
  }

  /** @returns whether the weights of a model fitted. */
  reserve(bytes: number): boolean {
    if (bytes > this.freeBytes) return false;
    this.#modelBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#modelBytes -= bytes;
  }
}
