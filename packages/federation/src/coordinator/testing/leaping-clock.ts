/** The monotonic clock of this process, which a test lets leap: deadlines pass, timers do not. */
import { onTestFinished, vi } from 'vitest';

/** @returns lets it leap by so many milliseconds, until the test ends. */
export function leapingClock(): (ms: number) => void {
  const real = performance.now.bind(performance);
  let leapt = 0;
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => real() + leapt);
  onTestFinished(() => spy.mockRestore());
  return (ms) => void (leapt += ms);
}
