import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { InferenceAnswer, InferenceRequest } from '@skein/serving';
import { Waiting, WaitingList } from './waiting.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A list whose requests may wait for 100 ms, and those that waited longer. */
function listOf(afterMs: () => number | undefined = () => 100) {
  const late: Waiting[] = [];
  const list = new WaitingList({
    now: () => performance.now(),
    afterMs,
    onLate: (one) => late.push(one),
  });
  const add = (): Waiting => {
    const own = new Promise<InferenceAnswer>(() => {});
    const waiting = new Waiting({} as InferenceRequest, performance.now(), own);
    list.add(waiting);
    return waiting;
  };
  return { list, late, add };
}

test('a request is late once, and one that leaves before is not', () => {
  const { list, late, add } = listOf();
  const [first, second, third] = [add(), add(), add()];
  vi.advanceTimersByTime(60);
  const fourth = add();
  list.remove(second);
  list.remove(second);
  vi.advanceTimersByTime(45);
  expect(late).toEqual([first, third]);
  list.remove(third);
  vi.advanceTimersByTime(1000);
  expect(late).toEqual([first, third, fourth]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a list of many whose requests leave in any order ends empty', () => {
  const { list, late, add } = listOf();
  const all = Array.from({ length: 50 }, add);
  expect(vi.getTimerCount()).toBe(1);
  for (const [i, each] of all.entries()) if (i % 3 !== 0) list.remove(each);
  for (const [i, each] of [...all.entries()].reverse()) if (i % 3 === 0) list.remove(each);
  const last = add();
  vi.advanceTimersByTime(1000);
  expect(late).toEqual([last]);
});

test('while it is not known how long a request may wait, none is late', () => {
  let afterMs: number | undefined;
  let looks = 0;
  const { late, add } = listOf(() => (looks++, afterMs));
  add();
  vi.advanceTimersByTime(5000);
  expect(late).toEqual([]);
  expect(looks).toBeLessThan(10);
  afterMs = 10;
  vi.advanceTimersByTime(2000);
  expect(late).toHaveLength(1);
});

test('each request is late at its own time', () => {
  const { late, add } = listOf();
  const first = add();
  vi.advanceTimersByTime(50);
  const second = add();
  vi.advanceTimersByTime(60);
  expect(late).toEqual([first]);
  vi.advanceTimersByTime(50);
  expect(late).toEqual([first, second]);
});

test('none is late on a list that is closed', () => {
  const { list, late, add } = listOf();
  add();
  list.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(1000);
  expect(late).toEqual([]);
});
