/**
 * Which batch size to try instead of the best one known: what is never run is never learnt.
 *
 * Warming runs made-up requests, often of another shape than the real ones, and what they cost is
 * only scaled to those. So the first real runs try more, larger and smaller sizes in turn, and a
 * wrong start ends either way. A smaller size leaves more for the next runs, so it is tried only
 * while its cost is a guess.
 */

/** Decisions in which much is tried, and how often then and later. */
const YOUNG = 64;
const EVERY_WHILE_YOUNG = 4;
const EVERY = 16;

/** Whether a size has never been run. */
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
  const fewer = Math.max(1, goodRows >> 1);
  if ((decision / every) % 2 === 1 && experience.isGuess(fewer)) return fewer;
  return goodRows * 2;
}
