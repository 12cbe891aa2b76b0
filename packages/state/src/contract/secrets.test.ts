/** The contract of shared secrets, over every backend. */
import { expect, it } from 'vitest';
import { overEveryState } from '../testing/every-state.ts';

overEveryState(
  'secrets',
  (at) => {
    it('are what the first caller gave, for other connections and later processes too', async () => {
      const other = await at.another();
      const [one, two] = await Promise.all([
        at.state.secrets.secret('seal', 'one'),
        other.secrets.secret('seal', 'two'),
      ]);
      expect(two).toBe(one);
      expect(['one', 'two']).toContain(one);
      expect(await other.secrets.secret('another', 'three')).toBe('three');
      await at.reopen();
      expect(await at.state.secrets.secret('seal', 'four')).toBe(one);
    });
  },
  "the test's",
);
