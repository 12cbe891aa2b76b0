/** The events of one submission: single steps for a reader that keeps up, the whole for a slow one. */
import { expect, it } from 'vitest';
import type { SubmissionView } from '../api/schemas.ts';
import { createLive } from './live.ts';
import { submissionEvents } from './submission-events.ts';
import type { TestRecord } from '../../judging/events.ts';

const ALICE = { name: 'alice', admin: false };
const RESULT = { name: 'secret/1', verdict: 'AC', reason: '', usage: {}, passes: 1 };

function start() {
  const live = createLive();
  let reads = 0;
  const view = (): SubmissionView =>
    ({ id: 1, state: live.stateOf(1).phase, reads: ++reads }) as unknown as SubmissionView;
  let judged = false;
  const ended = new AbortController();
  const source = submissionEvents(
    {
      submission: async () => (judged ? { ...view(), state: 'judged' } : view()),
      follow: () => (listener) => live.listen(1, listener),
    },
    1,
    ALICE,
  );
  const events = source(ended.signal)[Symbol.asyncIterator]();
  return {
    live,
    ended,
    events,
    step: (index: number) =>
      live.apply(1, { type: 'test', index, total: 500, result: RESULT as unknown as TestRecord }),
    judge: () => {
      judged = true;
      live.judged(1);
    },
    next: async () => {
      const { value, done } = await events.next();
      return done === true ? undefined : { type: value.type, data: JSON.parse(value.data) };
    },
  };
}

it('begins with the whole submission, then sends each step, and ends with the verdict', async () => {
  const { next, step, live, judge } = start();
  expect(await next()).toMatchObject({ type: 'submission', data: { state: 'waiting' } });
  live.apply(1, { type: 'compiling', language: 'python3' });
  expect(await next()).toMatchObject({ type: 'submission', data: { state: 'compiling' } });
  live.apply(1, { type: 'test-started', index: 0, total: 500, name: 'secret/1' });
  step(0);
  expect(await next()).toEqual({
    type: 'running',
    data: { index: 0, total: 500, name: 'secret/1' },
  });
  expect(await next()).toMatchObject({ type: 'test', data: { index: 0, test: { verdict: 'AC' } } });
  judge();
  expect(await next()).toMatchObject({ type: 'judged', data: { state: 'judged' } });
  expect(await next()).toBeUndefined();
});

it('sends a reader that is behind the whole submission in place of the steps', async () => {
  const { next, step } = start();
  await next();
  for (let index = 0; index < 500; index++) step(index);
  expect(await next()).toMatchObject({ type: 'submission', data: { reads: 2 } });
  step(7);
  expect(await next()).toMatchObject({ type: 'test', data: { index: 7 } });
});

it('stops when its stream has ended, and listens no more', async () => {
  const { next, ended, live, step } = start();
  await next();
  const last = next();
  ended.abort();
  expect(await last).toBeUndefined();
  step(1);
  expect(live.stateOf(1).total).toBe(500);
});
