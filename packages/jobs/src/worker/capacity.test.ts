import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createCapacity } from './capacity.ts';

it('has its full capacity again when everything was given back', () => {
  const resources = fc.record({
    cores: fc.double({ min: 0.001, max: 2, noNaN: true }),
    memoryBytes: fc.nat(1000),
  });
  fc.assert(
    fc.property(fc.array(resources), (all) => {
      const total = { cores: 4, memoryBytes: 5000 };
      const capacity = createCapacity(total);
      const takes = all.map((each) => capacity.take(each));
      const { cores, memoryBytes } = capacity.free();
      const taken = all.reduce((sum, each) => sum + each.memoryBytes, 0);
      expect(memoryBytes).toBe(Math.max(0, 5000 - taken));
      expect(cores).toBeGreaterThanOrEqual(0);
      for (const giveBack of takes) {
        giveBack();
        giveBack();
      }
      expect(capacity.free()).toEqual(total);
    }),
  );
});
