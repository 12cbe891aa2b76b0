import { Cancellation, type InferenceAnswer } from '@skein/serving';
import { expect, test } from 'vitest';
import { answer } from '../forwarding/testing/scripted-node.ts';
import { firstAnswerOf } from './tied.ts';

const ANSWER = answer(new Map());

/** Two copies that wait, and what becomes of them. */
function tied() {
  const copyOf = () => {
    const progress = new Cancellation();
    const { promise, resolve, reject } = Promise.withResolvers<InferenceAnswer>();
    return {
      progress,
      end: () => progress.cancel(),
      answer: promise,
      answers: () => resolve(ANSWER),
      fails: () => reject(new Error('It failed.')),
    };
  };
  const [first, second] = [copyOf(), copyOf()];
  return { first, second, outcome: firstAnswerOf(first, second) };
}

test('the first one that starts cancels the other where it waits', () => {
  const one = tied();
  one.first.progress.start();
  expect(one.second.progress.cancelled).toBe(true);
  const other = tied();
  other.second.progress.start();
  expect(other.first.progress.cancelled).toBe(true);
});

test('a copy that runs is not cancelled by the start of the other; the answer that comes first ends it', async () => {
  const { first, second, outcome } = tied();
  second.progress.hasStarted = true;
  first.progress.start();
  expect(second.progress.cancelled).toBe(false);
  first.answers();
  expect(await outcome).toEqual({ by: 'first', answer: ANSWER, bothRan: true });
  expect(second.progress.cancelled).toBe(true);

  const other = tied();
  other.first.progress.hasStarted = true;
  other.second.progress.start();
  expect(other.first.progress.cancelled).toBe(false);
  other.second.answers();
  expect(await other.outcome).toEqual({ by: 'second', answer: ANSWER, bothRan: true });
  expect(other.first.progress.cancelled).toBe(true);
});

test('the failure of one copy counts when the other one fails too', async () => {
  const { first, second, outcome } = tied();
  first.fails();
  second.answers();
  expect(await outcome).toEqual({ by: 'second', answer: ANSWER, bothRan: false });

  const neither = tied();
  neither.second.progress.start();
  neither.first.fails();
  neither.second.fails();
  expect(await neither.outcome).toEqual({ by: 'neither', wasEnded: true, bothRan: false });
  const alone = tied();
  alone.second.fails();
  alone.first.fails();
  expect(await alone.outcome).toEqual({ by: 'neither', wasEnded: false, bothRan: false });
});

test('once a copy has answered, a late start of the other one does not end it', async () => {
  const { first, second, outcome } = tied();
  // From a cache, for instance.
  first.answers();
  await outcome;
  second.progress.start();
  expect(first.progress.cancelled).toBe(false);
});
