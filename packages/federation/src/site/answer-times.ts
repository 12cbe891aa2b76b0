/**
 * When a site sends its update: at the end of a span of fixed length, because the time that it computes grows with
 * its rows, and varies a little with the noise that it draws.
 *
 *   asked ──computes──▶ stored ┄┄┄ waits ┄┄┄▶ sent
 *   └────────────────── span ────────────────┘
 *
 * The spans of a plan are public: its time for training over 1.25, over 1.25², … A site takes the shortest that holds
 * its update, keeps it for the run, and takes a longer one for good when it is exceeded. So the coordinator
 * learns which span a site has, and in which rounds it took a longer one. An update waits for at most a quarter of
 * the longest computation so far. One that takes longer than the longest span is sent at once: it is nearly late.
 *
 * The first update of a process also waits until the end of a span, but keeps none: it takes longer than those after it, because
 * code is compiled and memory is taken.
 *
 * Predictive mitigation: Askarov, Zhang and Myers, "Predictive Black-Box Mitigation of Timing Channels" (CCS 2010).
 */
import { aggregationIn, isPrivate } from '../plan/kinds/choices.ts';
import type { Plan } from '../plan/plan.ts';
import type { SiteMemory } from './memory/site-memory.ts';

/** A span over the next shorter one: also the bound on what a wait adds. */
export const SPAN_RATIO = 1.25;
/** No span is much shorter, in milliseconds: a timer may be late by one. */
export const LEAST_SPAN_MS = 10;

/** @param number from 1, the longest. @returns milliseconds. */
export const spanMs = (number: number, trainMs: number): number => trainMs / SPAN_RATIO ** number;

/** How many spans a plan has, and so the number of the shortest. */
export function spanCount(trainMs: number): number {
  return Math.max(1, Math.floor(Math.log(trainMs / LEAST_SPAN_MS) / Math.log(SPAN_RATIO)));
}

/** The span of an update that took so long. @param kept its number until now. */
export function nextSpan(elapsedMs: number, kept: number, trainMs: number): number {
  let number = kept;
  while (number > 1 && spanMs(number, trainMs) < elapsedMs) number -= 1;
  return number;
}

/** The monotonic clock, and a timer. */
export interface SiteClock {
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<void>;
}

const REAL: SiteClock = {
  now: () => performance.now(),
  wait: (ms) =>
    new Promise((resolve) => {
      const timer: unknown = setTimeout(resolve, ms);
      // A site that leaves, or whose federation ends, does not stay for it.
      if (timer instanceof Object && 'unref' in timer) (timer as NodeJS.Timeout).unref();
    }),
};

/** Computes, and resolves or rejects when the result may be sent. */
export type Timed = <T>(phase: string, compute: () => Promise<T>) => Promise<T>;

export interface AnswerTimesOptions {
  readonly run: string;
  readonly plan: Plan;
  readonly memory: Pick<SiteMemory, 'carriedOf' | 'carry'>;
  /** Times at which updates leave; default: the monotonic clock. */
  readonly clock?: SiteClock | undefined;
}

/** For a plan with differential privacy whose sites stay: other sites have nothing to hide, or send one message. */
export function answerTimes({ run, plan, memory, clock = REAL }: AnswerTimesOptions): Timed {
  const { deadlines, privacy } = plan;
  const { giving, isTimed: hasTime } = aggregationIn(plan);
  const { trainMs } = deadlines;
  const isTimed = isPrivate(privacy) && hasTime;
  const key = `${run} span`;
  let isFirst = true;

  async function leave(begun: number): Promise<void> {
    const [kept = spanCount(trainMs)] = (await memory.carriedOf(key)) ?? [];
    const number = nextSpan(clock.now() - begun, kept, trainMs);
    if (!isFirst && number !== kept) await memory.carry(key, Uint8Array.of(number));
    isFirst = false;
    const waitMs = begun + spanMs(number, trainMs) - clock.now();
    if (waitMs > 0) await clock.wait(waitMs);
  }

  return async (phase, compute) => {
    if (!isTimed || phase !== giving) return compute();
    const begun = clock.now();
    try {
      return await compute();
    } finally {
      await leave(begun);
    }
  };
}
