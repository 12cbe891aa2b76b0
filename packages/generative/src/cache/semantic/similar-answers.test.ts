import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSimilarAnswers } from './similar-answers.ts';

describe('kept answers', () => {
  const answer = (name: string, at: number) => {
    const vector = new Float32Array(8);
    vector[at % 8] = 1;
    // Of different sizes, so that one may take the memory of several.
    const text = 'x'.repeat(600 * at);
    return { question: name, vector, events: [{ type: 'text', text }] as const, text };
  };

  it('are found by their nearest vector as by looking at all, and stay within their memory', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ setting: fc.nat(3), name: fc.nat(40), at: fc.nat(7) }), {
          maxLength: 60,
        }),
        fc.integer({ min: 0, max: 30_000 }),
        (puts, largest) => {
          const kept = createSimilarAnswers(1000, largest);
          const last = new Map<string, number>();
          for (const { setting, name, at } of puts) {
            kept.keep(`s${setting}`, answer(`q${name}`, at), 0);
            last.set(`s${setting} q${name}`, at);
            expect(kept.bytes).toBeLessThanOrEqual(largest);
          }
          for (const [key, at] of last) {
            const [setting = '', text = ''] = key.split(' ');
            const found = kept.same({ setting, text }, 0);
            if (found === undefined) continue;
            const { vector } = answer(text, at);
            expect(kept.nearest({ setting, text }, vector, 0)?.similarity).toBe(1);
          }
        },
      ),
    );
  });

  it('are not used when they are old, or of another setting', () => {
    const kept = createSimilarAnswers(1000);
    kept.keep('s', answer('q', 1), 0);
    const { vector } = answer('q', 1);
    expect(kept.nearest({ setting: 's', text: 'x' }, vector, 1000)?.similarity).toBe(1);
    expect(kept.nearest({ setting: 't', text: 'x' }, vector, 1000)).toBeUndefined();
    expect(kept.nearest({ setting: 's', text: 'x' }, vector, 1001)).toBeUndefined();
    expect(kept.same({ setting: 's', text: 'q' }, 1001)).toBeUndefined();
  });
});
