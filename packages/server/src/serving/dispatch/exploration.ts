/**
 * Which batch size to try instead of the best one known: what is never run is never learnt.
 *
 * Warming runs made-up requests, often of another shape than the real ones, and what they cost is
 * only scaled to those. So the first real runs try more, larger and smaller sizes in turn, and a
 * wrong start ends either way. Trying costs throughput, so a size is tried only while its cost is a
 * guess; the latency model itself returns to what has long not been run.
 */

/** Decisions in which much is tried, and how often then and later. */
const YOUNG = 64;
const EVERY_WHILE_YOUNG = 4;
const EVERY = 16;

/** Whether a size has hardly been run. */
interface Experience {
  isGuess(rows: number): boolean;
}

/**
 * @param goodRows rows that are worth running together, as far as is known.
 * @param decision number of the decision, from 1.
 */
export function rowsToTry(goodRows: number, decision: number, experience: Experience): number {
  const every = decision <= YOUNG ? EVERY_WHILE_YOUNG : EVERY;
  if (decision % every !== 0) return goodRows;
  const other = (decision / every) % 2 === 1 ? Math.max(1, goodRows >> 1) : goodRows * 2;
  return experience.isGuess(other) ? other : goodRows;
}
