import { describe, expect, it } from 'vitest';
import { rowsToTry } from './exploration.ts';

const fresh = { isGuess: () => true };
const seasoned = { isGuess: () => false };

const tried = (goodRows: number, from: number, to: number, experience = fresh): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => rowsToTry(goodRows, from + i, experience));

describe('rowsToTry', () => {
  it('mostly keeps to what is known', () => {
    expect(tried(8, 65, 128).filter((rows) => rows === 8)).toHaveLength(60);
  });

  it('tries larger and smaller sizes in turn, more often at first', () => {
    expect(tried(8, 1, 16).filter((rows) => rows !== 8)).toEqual([4, 16, 4, 16]);
    expect(tried(8, 65, 128).filter((rows) => rows !== 8)).toEqual([4, 16, 4, 16]);
  });

  it('tries no size whose cost it knows', () => {
    expect(new Set(tried(8, 1, 200, seasoned))).toEqual(new Set([8]));
  });

  it('never asks for less than one row', () => {
    expect(Math.min(...tried(1, 1, 200))).toBe(1);
  });
});
