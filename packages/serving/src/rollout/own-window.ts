/** This node's window of a rollout: its counters as counts since the rollout, and since the step. */
import { digestOf } from '@skein/api/latency-buckets';
import { countsSince, NOTHING, type Counts, type Evidence } from './judge.ts';
import type { OutputWatch } from './output-watch.ts';
import type { RolloutWindow } from './windows.ts';

export class OwnWindow {
  #step = -1;
  #candidateBefore: Counts = NOTHING;
  #stableBefore: Counts = NOTHING;

  /** @param totals the counters of both versions, which only grow. */
  enter(step: number, totals: Evidence, watch: OutputWatch | undefined): void {
    if (step === this.#step) return;
    if (this.#step < 0) this.#stableBefore = totals.stable;
    this.#step = step;
    this.#candidateBefore = totals.candidate;
    watch?.candidateLatency.fill(0);
  }

  read(totals: Evidence, watch: OutputWatch | undefined): RolloutWindow {
    return {
      step: this.#step,
      candidate: countsSince(totals.candidate, this.#candidateBefore),
      stable: countsSince(totals.stable, this.#stableBefore),
      comparison: totals.comparison,
      latency: watch && {
        candidate: digestOf(watch.candidateLatency),
        stable: digestOf(watch.stableLatency),
      },
    };
  }
}
