import { SkeinError } from '@skein/api';
import { describe, expect, it, vi } from 'vitest';
import { upstreamError } from '../wire/upstream-error.ts';
import { commit, type CommitOptions } from './commit.ts';

const failed = upstreamError('PROVIDER_FAILED', { provider: 'p', message: 'x' });

describe('commitment', () => {
  type Play = { readonly after: number; readonly begunAfter?: number; readonly error?: SkeinError };

  /** Routes whose attempts answer or fail after some time of a fake clock. */
  async function play(plays: readonly Play[], more: Partial<CommitOptions<number, number>> = {}) {
    vi.useFakeTimers();
    try {
      const started: number[] = [];
      const cancelled: number[] = [];
      const result = commit<number, number>({
        routes: plays.map((_, index) => index),
        start(index, firstMs) {
          started.push(index);
          const { after, begunAfter, error } = plays[index]!;
          const content = new Promise<number>((resolve, reject) => {
            const late = upstreamError('PROVIDER_TIMEOUT', { provider: 'p', message: 'late' });
            if (after > firstMs) setTimeout(() => reject(late), firstMs);
            else setTimeout(() => (error === undefined ? resolve(index) : reject(error)), after);
          });
          const cancel = () => void cancelled.push(index);
          if (begunAfter === undefined) return { content, cancel };
          const begun = new Promise<void>((resolve) => setTimeout(resolve, begunAfter));
          return { content, begun, cancel };
        },
        hedgeAfterMs: () => undefined,
        mayHedge: () => true,
        deadlineMs: 1000,
        clock: { now: () => Date.now() },
        ...more,
      }).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(5000);
      return { result: await result, started, cancelled };
    } finally {
      vi.useRealTimers();
    }
  }

  it('falls back while another provider may do better, and leaves it time', async () => {
    const { result, started } = await play([
      { after: 1, error: failed },
      { after: 1e9 },
      { after: 10 },
    ]);
    expect(started).toEqual([0, 1, 2]);
    expect(result).toEqual({ result: 2, attempts: 3 });
  });

  it('never falls back from a content filter or a refused request', async () => {
    for (const code of ['CONTENT_FILTERED', 'PROVIDER_REJECTED', 'BUDGET_SPENT'] as const) {
      const { result, started } = await play([
        { after: 1, error: new SkeinError(code, 'x') },
        { after: 1 },
      ]);
      expect(started).toEqual([0]);
      expect(result).toMatchObject({ code });
    }
  });

  it('hedges once after the p95, and ends the slower one', async () => {
    const hedged = await play([{ after: 900 }, { after: 10 }], { hedgeAfterMs: () => 50 });
    expect(hedged).toMatchObject({ result: { result: 1, attempts: 2 }, cancelled: [0] });
    const spent = await play([{ after: 400 }, { after: 10 }], {
      hedgeAfterMs: () => 50,
      mayHedge: () => false,
    });
    expect(spent).toMatchObject({ result: { result: 0, attempts: 1 }, started: [0] });
  });

  it('does not hedge a long answer that began in time, but one that follows its failure', async () => {
    const long = { after: 400, begunAfter: 40 };
    const hedgeAfterMs = () => 50;
    expect(await play([long, { after: 10 }], { hedgeAfterMs })).toMatchObject({ started: [0] });
    const late = { ...long, begunAfter: 60 };
    expect(await play([late, { after: 10 }], { hedgeAfterMs })).toMatchObject({ started: [0, 1] });
    const cut = { after: 100, begunAfter: 40, error: failed };
    const plays = [cut, { after: 400 }, { after: 10 }];
    const { started, result } = await play(plays, { hedgeAfterMs });
    expect({ started, result }).toMatchObject({ started: [0, 1, 2], result: { result: 2 } });
  });

  it('continues with the first when its hedge fails', async () => {
    const { result } = await play([{ after: 400 }, { after: 10, error: failed }], {
      hedgeAfterMs: () => 50,
    });
    expect(result).toMatchObject({ result: 0, attempts: 2 });
    // For want of money too, which ends a request that is sent once.
    const error = new SkeinError('BUDGET_SPENT', 'x');
    const poor = await play([{ after: 400 }, { after: 10, error }], { hedgeAfterMs: () => 50 });
    expect(poor.result).toMatchObject({ result: 0, attempts: 2 });
  });

  it('tries another provider where one does not support what is asked for', async () => {
    const error = new SkeinError('GENERATION_UNSUPPORTED', 'x');
    const { result } = await play([{ after: 1, error }, { after: 1 }]);
    expect(result).toEqual({ result: 1, attempts: 2 });
  });

  it('sends no third request while the hedge may answer, and never tries its route again', async () => {
    const hedgeAfterMs = () => 50;
    const answering = [{ after: 60, error: failed }, { after: 200 }, { after: 1 }];
    const hedged = await play(answering, { hedgeAfterMs });
    expect(hedged).toMatchObject({ result: { result: 1, attempts: 2 }, started: [0, 1] });
    const [first, hedge] = [60, 100].map((after) => ({ after, error: failed }));
    const both = await play([first!, hedge!, { after: 1 }], { hedgeAfterMs });
    expect(both).toMatchObject({ result: { result: 2, attempts: 3 }, started: [0, 1, 2] });
  });

  it('hedges a request once, also after both have failed', async () => {
    const [first, hedge] = [60, 100].map((after) => ({ after, error: failed }));
    const plays = [first!, hedge!, { after: 200 }, { after: 1 }];
    const { started, result } = await play(plays, { hedgeAfterMs: () => 50 });
    expect({ started, result }).toMatchObject({ started: [0, 1, 2], result: { result: 2 } });
  });

  it('asks no other provider after the deadline', async () => {
    let now = 0;
    let attempts = 0;
    const clock = { now: () => now };
    const start = () => {
      attempts += 1;
      now = 1000;
      return { content: Promise.reject<number>(failed), cancel() {} };
    };
    const { result } = await play([{ after: 1 }, { after: 1 }], { clock, start });
    expect(result).toBe(failed);
    expect(attempts).toBe(1);
  });
});
