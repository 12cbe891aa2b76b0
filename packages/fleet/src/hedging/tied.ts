/**
 * Two copies of a request on two members, of which the first one that starts cancels the other. A copy
 * that runs already is not cancelled by the start of another: the answer that comes first counts.
 *
 *   first  waits ─────────────── starts ─▶ answer     the second is cancelled where it waits
 *   second        └ sent, waits ─ ✕
 *
 *   first  waits ─ ✕
 *   second        └ sent, starts ─▶ answer            a start and a cancellation cross at worst: both run
 */
import type { Cancellation, InferenceAnswer } from '@skein/serving';

export interface Copy {
  /** Tells when its run begins. */
  readonly progress: Pick<Cancellation, 'hasStarted' | 'onStart'>;
  /** Ends it where it waits. Where it runs, its answer is discarded. */
  readonly end: () => void;
  readonly answer: Promise<InferenceAnswer>;
}

export type TiedOutcome =
  | { readonly by: 'first' | 'second'; readonly answer: InferenceAnswer; readonly bothRan: boolean }
  /** @param wasEnded whether the first copy failed because the second one had started. */
  | { readonly by: 'neither'; readonly wasEnded: boolean; readonly bothRan: boolean };

/** Never rejects: the failure of a copy counts only when the other one fails too, and its holder knows it. */
export async function firstAnswerOf(first: Copy, second: Copy): Promise<TiedOutcome> {
  let wasEnded = false;
  first.progress.onStart = () => {
    if (!second.progress.hasStarted) second.end();
  };
  second.progress.onStart = () => {
    if (first.progress.hasStarted) return;
    wasEnded = true;
    first.end();
  };
  const bothRan = (): boolean => first.progress.hasStarted && second.progress.hasStarted;
  try {
    const { by, answer } = await Promise.any([
      first.answer.then((answer) => ({ by: 'first', answer }) as const),
      second.answer.then((answer) => ({ by: 'second', answer }) as const),
    ]);
    (by === 'first' ? second : first).end();
    return { by, answer, bothRan: bothRan() };
  } catch {
    return { by: 'neither', wasEnded, bothRan: bothRan() };
  } finally {
    first.progress.onStart = second.progress.onStart = undefined;
  }
}
