/** Recent arrival rate in rows per millisecond, from the last few arrivals. */
import type { Instant } from '../../contract.ts';
import { tuning } from '../tuning.ts';

export class ArrivalRate {
  readonly #at = new Float64Array(tuning.recentSamples);
  readonly #rows = new Float64Array(tuning.recentSamples);
  #next = 0;
  #count = 0;
  #sum = 0;

  note(rows: number, now: Instant): void {
    const slot = this.#next;
    this.#next = (slot + 1) % tuning.recentSamples;
    if (this.#count === tuning.recentSamples) this.#sum -= this.#rows[slot]!;
    else this.#count++;
    this.#at[slot] = now;
    this.#rows[slot] = rows;
    this.#sum += rows;
  }

  /** 0 until there are enough arrivals. */
  perMs(now: Instant): number {
    if (this.#count < tuning.recentSamples) return 0;
    const elapsed = now - this.#at[this.#next]!;
    return elapsed > 0 ? this.#sum / elapsed : 0;
  }
}
