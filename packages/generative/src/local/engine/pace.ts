/** How many tokens of a prompt run before the rows that are already answering get their next token. */

export interface Pace {
  /** Prompt tokens that have not run. */
  readonly remaining: number;
  /** Rows that wait for their next token meanwhile. */
  readonly running: number;
  /** Longest wait between two tokens, in milliseconds. */
  readonly gapMs: number;
  /** Recent duration of a step of all running rows, in milliseconds. */
  readonly stepMs: number;
  /** Recent duration per prompt token, in milliseconds; 0: not known yet. */
  readonly tokenMs: number;
}

/** Longest piece, also when no row waits: a cancelled prompt ends with its piece. */
const LONGEST = 256;
/** Smallest piece, and the piece that measures the speed: shorter ones spend most of their time on overhead. */
const LEAST = 16;

/** Tokens of the next piece: as many as fit between two steps. */
export function nextPiece({ remaining, running, gapMs, stepMs, tokenMs }: Pace): number {
  if (running === 0) return Math.min(remaining, LONGEST);
  if (tokenMs === 0) return Math.min(remaining, LEAST);
  const fitting = Math.floor((gapMs - stepMs) / tokenMs);
  return Math.min(remaining, Math.max(LEAST, Math.min(LONGEST, fitting)));
}

/** A moving mean: the newest value counts with `weight`. */
export function blended(mean: number, value: number, weight = 0.2): number {
  return mean === 0 ? value : mean + weight * (value - mean);
}
