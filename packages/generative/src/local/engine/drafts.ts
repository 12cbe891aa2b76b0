/**
 * Drafts of the next tokens of an answer, by prompt lookup (Saxena, 2023): where the last tokens have
 * occurred before, what followed them then may follow now. One run checks a whole draft, as it would
 * a prompt, and gives a token for each that is right, and one more.
 *
 *   … the quick brown [fox jumps] … the quick brown ▸ draft: fox jumps
 *
 * Each token is chosen from the logits of its own position as ever, by the same sampler and mask, so
 * that a draft changes no answer: not a greedy one, and not one by a seed. Keys and values of wrong
 * tokens lie behind the valid ones of their row, and are overwritten.
 *
 * That holds where a run of several tokens computes what a run of each does, but for the last bits.
 * Products of quantised weights round by the shape of the run: such a model has no drafts.
 *
 * A draft costs time where it is wrong. Whether drafts pay is measured, and they rest where not.
 */
/** Tokens that must have occurred before: fewer match by chance. */
const LONGEST_MATCH = 3;
const SHORTEST_MATCH = 2;
/** Tokens of a draft at most: more are rarely right, and a processor pays for each. */
export const LONGEST_DRAFT = 8;
/** Steps without drafts at first, of which their time is learned, and while drafts rest. */
const LEARNED_STEPS = 8;
const PAUSE = { first: 32, longest: 1024 } as const;
/** Weight of the newest run. Drafts of one text differ more than steps do. */
const WEIGHT = 0.2;
/** Runs with drafts before they are judged: the first ones are of one place in the text. */
const JUDGED_RUNS = 4;

/** @returns what followed the last tokens when they occurred most recently; empty: they have not. */
export function lookUp(tokens: readonly number[], most: number): number[] {
  for (let length = LONGEST_MATCH; length >= SHORTEST_MATCH; length--) {
    const from = tokens.length - length;
    for (let at = from - 1; at >= 0; at--) {
      let same = 0;
      while (same < length && tokens[at + same] === tokens[from + same]) same++;
      if (same === length) return tokens.slice(at + length, at + length + most);
    }
  }
  return [];
}

/** How long a token takes, in milliseconds, with drafts and without. A value. */
export interface DraftPace {
  /** 0: not known yet. */
  readonly plainMs: number;
  readonly draftedMs: number;
  readonly runs: number;
  /** Steps before the next draft, and the length of the next pause. */
  readonly rest: number;
  readonly pause: number;
}

export const NEW_PACE: DraftPace = {
  plainMs: 0,
  draftedMs: 0,
  runs: 0,
  rest: LEARNED_STEPS,
  pause: PAUSE.first,
};

export const NO_DRAFTS: DraftPace = { ...NEW_PACE, rest: Infinity };

export function afterStep(pace: DraftPace, ms: number): DraftPace {
  return { ...pace, plainMs: mean(pace.plainMs, ms), rest: Math.max(0, pace.rest - 1) };
}

/** @param tokens that the run gave. */
export function afterDraft(pace: DraftPace, ms: number, tokens: number): DraftPace {
  const draftedMs = mean(pace.draftedMs, ms / tokens);
  const runs = pace.runs + 1;
  if (runs < JUDGED_RUNS || draftedMs < pace.plainMs) {
    const isWorthIt = runs >= JUDGED_RUNS;
    return { ...pace, draftedMs, runs, pause: isWorthIt ? PAUSE.first : pace.pause };
  }
  const pause = Math.min(2 * pace.pause, PAUSE.longest);
  return { ...pace, draftedMs: 0, runs: 0, rest: pace.pause, pause };
}

const mean = (before: number, value: number): number =>
  before === 0 ? value : before + WEIGHT * (value - before);
