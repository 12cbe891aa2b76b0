/**
 * Chooses a batch size to try instead of the best known one: the cost of a size is learnt only by
 * running it.
 *
 * Warming runs synthetic requests, often of another shape than the real ones, and their cost is
 * only scaled to those. The first real runs therefore try the neighbours of the best size, larger
 * and smaller alternately, while their cost is an estimate.
 *
 * A measured cost may be outdated: the first runs of a size were disturbed, or the machine has
 * changed. A size whose cost seems worse would never run again and so never improve. Each size is
 * therefore tried again once the runs since then have paid for it: its apparent loss may be `tuning.tryShare`
 * of their time. That bounds the cost of trying, however slow the other sizes are, and a size with
 * a small apparent loss is tried more often. Only time that is not promised to a request is spent.
 */
import { tuning } from '../tuning.ts';

/** Measured run costs, see `LatencyCurve`. */
export interface MeasuredCosts {
  isGuess(rows: number): boolean;
  /** Milliseconds. */
  p50(rows: number): number;
  p99(rows: number): number;
  /** Time of all runs since the last one of this size, in milliseconds. */
  restedMs(rows: number): number;
}

export interface ExplorationView {
  /** Number of the decision, from 1. */
  readonly decision: number;
  /** Best number of rows for one run, by the estimates. */
  readonly goodRows: number;
  /** Rows that could run together now. */
  readonly mostRows: number;
  /** Longest allowed run at p99, in milliseconds. */
  readonly longestMs: number;
  /** Time of one replica that is not promised to a queued request, in milliseconds. */
  readonly slackMs: number;
}

export function rowsToTry(view: ExplorationView, measured: MeasuredCosts): number {
  const { decision, goodRows } = view;
  const tries = decision / tuning.tryEvery;
  if (!Number.isInteger(tries)) return goodRows;
  const other = tries % 2 === 1 ? Math.max(1, goodRows >> 1) : goodRows * 2;
  if (measured.isGuess(other)) return other;
  return mostOverdue(view, measured) ?? goodRows;
}

/** The size whose next try has been paid for the longest; undefined if there is none. */
function mostOverdue(view: ExplorationView, measured: MeasuredCosts): number | undefined {
  const { goodRows, mostRows, longestMs, slackMs } = view;
  const perRow = measured.p50(goodRows) / goodRows;
  const share = tuning.tryShare / Math.max(1, Math.floor(Math.log2(mostRows)));
  let chosen: number | undefined;
  let best = 1;
  for (let rows = 1; rows <= mostRows; rows *= 2) {
    if (rows === goodRows) continue;
    if (measured.p99(rows) > longestMs) break;
    const takes = measured.p50(rows);
    const extra = Math.max(takes - perRow * rows, tuning.tryLeastCost * takes);
    const paid = (share * measured.restedMs(rows)) / extra;
    if (paid < best || extra > slackMs) continue;
    best = paid;
    chosen = rows;
  }
  return chosen;
}
