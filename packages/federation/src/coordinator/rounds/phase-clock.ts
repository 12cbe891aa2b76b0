/**
 * The deadlines of a run, on the monotonic clock: they begin anew after a restart, so that no wall
 * clock, however wrong, ends a phase.
 */
import { aggregationIn } from '../../plan/kinds/choices.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Aggregation } from '../aggregation/aggregator.ts';

export class PhaseClock {
  #endsAt = Infinity;
  /** How long a phase waits for sites that are not connected. */
  #awayUntil = Infinity;
  #retryAt = 0;

  get isStarted(): boolean {
    return this.#endsAt !== Infinity;
  }
  start(phase: string, plan: Plan, training: Aggregation['training']): void {
    const { phaseMs, trainMs } = plan.deadlines;
    const ms = training.includes(phase) ? trainMs : phaseMs;
    const now = performance.now();
    this.#endsAt = now + ms;
    this.#awayUntil = now + (aggregationIn(plan).isOneMessage ? phaseMs : ms);
  }
  /** Milliseconds until the phase ends. */
  remainingMs(): number {
    return this.#endsAt - performance.now();
  }
  /** @param isAnyHere whether one of the sites that it waits for is connected. @returns milliseconds. */
  waitMs(isAnyHere: boolean): number {
    return isAnyHere
      ? this.remainingMs()
      : Math.min(this.remainingMs(), this.#awayUntil - performance.now());
  }

  /** No attempt before that. */
  pause(ms: number): void {
    this.#retryAt = performance.now() + ms;
  }
  pausedMs(): number {
    return Math.max(0, this.#retryAt - performance.now());
  }
}
