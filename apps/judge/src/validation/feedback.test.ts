import { describe, expect, it } from 'vitest';
import { readFeedback } from './feedback.ts';

const written = (file: string, text: string) =>
  readFeedback(new Map([[file, new TextEncoder().encode(text)]]), true).score;

describe('points that a validator wrote', () => {
  it('are read as numbers', () => {
    expect(written('score.txt', ' 12.5\n')).toEqual({ kind: 'score', value: 12.5 });
    expect(written('score_multiplier.txt', '.5')).toEqual({ kind: 'multiplier', value: 0.5 });
    expect(written('score.txt', '1e-999')).toEqual({ kind: 'score', value: 0 });
  });

  it.each(['', 'NaN', 'Infinity', '1e', '0x10', '1 2', '1e999', '-1e999', '9'.repeat(400)])(
    'are a judge error as %j',
    (text) => {
      for (const file of ['score.txt', 'score_multiplier.txt']) {
        expect(() => written(file, text)).toThrow(expect.objectContaining({ name: 'JudgeFault' }));
      }
    },
  );
});
