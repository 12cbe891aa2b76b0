/**
 * Turns a stream of speech probabilities into segments.
 *
 *   silence ──p ≥ start──▶ speech ──p < stop──▶ pause ──lasts long enough──▶ silence
 *                             ▲                   │
 *                             └─────p ≥ start─────┘
 *
 * Two thresholds, because a probability that wavers around one would cut a word to pieces. A pause
 * only ends the segment when it has lasted; a segment that was too short is dropped. Follows
 * Silero's `get_speech_timestamps`, but decides as the stream arrives and never reads ahead.
 */
export interface Segment {
  readonly startMs: number;
  readonly endMs: number;
}

export interface SegmentRules {
  /** Probability from which speech begins. */
  readonly start: number;
  /** Probability below which it may have ended. */
  readonly stop: number;
  /** A pause of this length ends a segment. */
  readonly minSilenceMs: number;
  /** A segment shorter than this, before padding, is dropped. */
  readonly minSpeechMs: number;
  /** Added at both ends, but never past the middle of the pause to the adjacent segment. */
  readonly padMs: number;
}

/** Silero's defaults. */
export const DEFAULT_RULES: SegmentRules = {
  start: 0.5,
  stop: 0.35,
  minSilenceMs: 100,
  minSpeechMs: 250,
  padMs: 30,
};

/**
 * @param probabilities of speech, one per window, in order.
 * @param windowMs length of a window in milliseconds; windows follow one another.
 * @param totalMs where the audio ends; the last window may be padded past it. Default: the last window's end.
 */
export async function* segmentsOf(
  probabilities: AsyncIterable<number> | Iterable<number>,
  windowMs: number,
  rules: SegmentRules = DEFAULT_RULES,
  totalMs?: number,
): AsyncGenerator<Segment, void, undefined> {
  const { start, stop, minSilenceMs, minSpeechMs, padMs } = rules;
  let at = 0;
  let begun: number | undefined;
  let pausedAt: number | undefined;
  // A finished segment is held until the next one begins, because the pad between them depends on it.
  let held: { start: number; end: number; padStart: number } | undefined;

  const padded = (nextStart: number): Segment => {
    const { end, padStart } = held!;
    return { startMs: padStart, endMs: Math.min(end + padMs, (end + nextStart) / 2) };
  };

  for await (const probability of probabilities) {
    if (probability >= start) {
      pausedAt = undefined;
      begun ??= at;
    } else if (begun !== undefined && probability < stop) {
      pausedAt ??= at;
      if (at + windowMs - pausedAt >= minSilenceMs) {
        yield* finish(begun, pausedAt);
        begun = undefined;
        pausedAt = undefined;
      }
    }
    at += windowMs;
  }
  const end = Math.min(at, totalMs ?? at);
  if (begun !== undefined) yield* finish(begun, pausedAt ?? end);
  if (held !== undefined) {
    yield { startMs: held.padStart, endMs: Math.min(held.end + padMs, Math.max(end, held.end)) };
  }

  function* finish(from: number, to: number): Generator<Segment, void, undefined> {
    if (to - from < minSpeechMs) return;
    if (held !== undefined) yield padded(from);
    const gap = held === undefined ? from : (from - held.end) / 2;
    held = { start: from, end: to, padStart: from - Math.min(padMs, gap) };
  }
}
