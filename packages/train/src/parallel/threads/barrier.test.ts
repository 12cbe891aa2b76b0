import { expect, it } from 'vitest';
import { barrierBytes, openBarrier } from './barrier.ts';

const open = (timeoutMs: number) => {
  const memory = new SharedArrayBuffer(barrierBytes(3));
  return [0, 1, 2].map((rank) => openBarrier(memory, { rank, size: 3, timeoutMs }));
};

it('releases no rank before all have arrived, in every round', async () => {
  const barriers = open(60_000);
  const arrivals = [0, 0, 0];
  await Promise.all(
    barriers.map(async (barrier, rank) => {
      for (let round = 1; round <= 50; round++) {
        arrivals[rank] = round;
        await barrier.arrive();
        expect(Math.min(...arrivals)).toBeGreaterThanOrEqual(round);
      }
    }),
  );
});

it('names the rank that does not arrive', async () => {
  const [first, , third] = open(50);
  const waits = await Promise.allSettled([first!.arrive(), third!.arrive()]);
  for (const wait of waits) {
    expect(wait).toMatchObject({
      reason: { kind: 'rank', rank: 1, message: 'Rank 1 has not arrived for 0.05 s.' },
    });
  }
});

it('wakes the waiting ranks when a rank is known to be lost', async () => {
  const [first, second, third] = open(60_000);
  const waits = Promise.allSettled([first!.arrive(), second!.arrive()]);
  third!.breakFor(2);
  for (const wait of await waits) {
    expect(wait).toMatchObject({ reason: { rank: 2, message: 'Rank 2 has stopped.' } });
  }
});
