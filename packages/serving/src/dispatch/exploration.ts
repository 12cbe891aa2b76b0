/**
 * Which batch size to run instead of the best one known: what is never run is never learnt.
 *
 * Warming runs made-up requests, often of another shape than the real ones, and what they cost is
 * only scaled to those. So the first real runs try the neighbours of the best size, larger and
 * smaller in turn, while their cost is a guess.
 *
 * What was learnt once may be wrong: the first runs of a size were disturbed, or the machine has
 * changed. A size that looks worse is not run, so it would look worse for ever. So each size is
 * tried again once the runs since then have paid for it: the time by which it seems worse may be
 * `SHARE` of them. That bounds what trying costs, however bad the other sizes are, and the smaller
 * the doubt, the more often it is asked. Only time that nobody has been promised is spent.
 */
import type { Instant } from '../contract.ts';

/** Part of the time of all runs that trying other sizes may cost, as far as is known. */
const SHARE = 0.02;
/** A try costs at least this part of its run, although it seems as good: it changes how long others wait. */
const LEAST_COST = 0.25;
/** How much more time than a try should cost must be left before anybody's promise is in danger. */
const MARGIN = 3;
/** Decisions between two tries at least. */
const EVERY = 4;
/** Decisions in which guesses are tried as often as that, and how rarely later. */
const YOUNG = 64;
const EVERY_LATER = 16;

/** What is known about runs, see `LatencyCurve`. */
export interface Experience {
  isGuess(rows: number): boolean;
  /** Milliseconds. */
  p50(rows: number, now: Instant): number;
  p99(rows: number, now: Instant): number;
  /** Milliseconds that runs have taken since the last one of this size. */
  restedMs(rows: number): number;
}

export interface ExplorationView {
  readonly now: Instant;
  /** Number of the decision, from 1. */
  readonly decision: number;
  /** Rows that are worth running together, as far as is known. */
  readonly goodRows: number;
  /** Rows that could run together now. */
  readonly mostRows: number;
  /** Milliseconds that a run may take at p99. */
  readonly longestMs: number;
  /** Milliseconds of one replica that nobody who waits has been promised. */
  readonly slackMs: number;
}

export function rowsToTry(view: ExplorationView, experience: Experience): number {
  const { decision, goodRows } = view;
  if (decision % EVERY !== 0) return goodRows;
  const every = decision <= YOUNG ? EVERY : EVERY_LATER;
  if (decision % every === 0) {
    const other = (decision / every) % 2 === 1 ? Math.max(1, goodRows >> 1) : goodRows * 2;
    if (experience.isGuess(other)) return other;
  }
  return mostOverdue(view, experience) ?? goodRows;
}

/** The size whose next try has been paid for the longest; undefined when none has. */
function mostOverdue(view: ExplorationView, experience: Experience): number | undefined {
  const { now, goodRows, mostRows, longestMs, slackMs } = view;
  const perRow = experience.p50(goodRows, now) / goodRows;
  const share = SHARE / Math.max(1, Math.floor(Math.log2(mostRows)));
  let chosen: number | undefined;
  let best = 1;
  for (let rows = 1; rows <= mostRows; rows *= 2) {
    if (rows === goodRows) continue;
    if (experience.p99(rows, now) > longestMs) break;
    const takes = experience.p50(rows, now);
    const extra = Math.max(takes - perRow * rows, LEAST_COST * takes);
    const paid = (share * experience.restedMs(rows)) / extra;
    if (paid < best || MARGIN * extra > slackMs) continue;
    best = paid;
    chosen = rows;
  }
  return chosen;
}
