/** When one node renews its shares of limits, with what demand, and what it does with the answer. */
import type { ShareRequest } from '@skein/state';
import { describe, expect, it } from 'vitest';
import type { HeldKey } from '../keys/key-ring.ts';
import { leaseLimits } from './limit-shares.ts';
import { tokenBucket } from './token-bucket.ts';

const EVERY_MS = 250;

function keyOf(more: Partial<HeldKey> = {}): HeldKey {
  const key = { caller: { actor: 'k', tenant: 't' }, maxConcurrent: Infinity, crowdedOut: 0 };
  return { concurrent: more.maxConcurrent ?? Infinity, ...key, ...more } as HeldKey;
}
const limitedRate = (ratePerSecond: number) =>
  keyOf({ ratePerSecond, bucket: tokenBucket(ratePerSecond) });
const rateOf = ({ bucket }: HeldKey): number => 1000 / bucket!.intervalMs;

/** A node that is granted all of each limit, or a part of it. */
function nodeOf(...keys: readonly HeldKey[]) {
  let now = 0;
  const asked: ShareRequest[] = [];
  const node = { nodes: 4, inFlight: 0, granted: 1, isAway: false };
  const limits = leaseLimits({
    shares: {
      renew: async (request) => {
        if (node.isAway) throw new Error('away');
        asked.push(request);
        return node.granted * request.total;
      },
    },
    member: 'this',
    nodes: () => node.nodes,
    keys: { limited: () => keys },
    inFlight: () => node.inFlight,
    clock: { now: () => now },
  });
  // Its timer is the machine's.
  limits.close();
  return Object.assign(node, {
    asked,
    async renews(times = 1): Promise<void> {
      for (let done = 0; done < times; done++) {
        now += EVERY_MS;
        await limits.renew();
      }
    },
  });
}

describe('the share of a rate', () => {
  it('is raised by the second lease: by the first, every other node must have shown its own', async () => {
    const key = limitedRate(100);
    const node = nodeOf(key);
    key.bucket!.asked += 1;
    await node.renews();
    expect(rateOf(key)).toBeCloseTo(25);
    await node.renews();
    expect(rateOf(key)).toBeCloseTo(100);
  });

  it('is not lowered by the leases of its first second, nor of the first one after a time without the store', async () => {
    const key = limitedRate(100);
    const node = nodeOf(key);
    node.granted = 0;
    const rates: number[] = [];
    const renew = async (times = 1) => {
      key.bucket!.asked += 1;
      await node.renews(times);
      rates.push(Math.round(rateOf(key)));
    };
    await renew();
    node.granted = 0.4;
    await renew();
    node.isAway = true;
    // Longer than the lease.
    for (let turn = 0; turn < 21; turn++) await renew();
    node.isAway = false;
    node.granted = 0;
    for (let turn = 0; turn < 5; turn++) await renew();
    expect(rates).toEqual([25, ...Array<number>(22).fill(40), 25, 25, 25, 25, 0]);
  });

  it('is demanded by recent calls, and a burst is neither dropped nor held for long', async () => {
    const key = limitedRate(100);
    const node = nodeOf(key);
    key.bucket!.asked += 10;
    await node.renews(4);
    expect(node.asked.map(({ demand }) => demand)).toEqual([40, 20, 10, 5]);
  });

  it('goes back without calls, and the next lease is a first one', async () => {
    const key = limitedRate(100);
    const node = nodeOf(key);
    key.bucket!.asked += 1;
    await node.renews(20);
    // Three seconds of them.
    expect(node.asked).toHaveLength(12);
    expect(rateOf(key)).toBeCloseTo(25);
    key.bucket!.asked += 1;
    await node.renews();
    expect(rateOf(key)).toBeCloseTo(25);
    await node.renews();
    expect(rateOf(key)).toBeCloseTo(100);
  });

  it('follows the number of nodes while it is not leased', async () => {
    const key = limitedRate(100);
    const node = nodeOf(key);
    node.nodes = 10;
    await node.renews();
    expect(rateOf(key)).toBeCloseTo(10);
  });

  it('is renewed in turn where keys are too many for one time', async () => {
    const keys = Array.from({ length: 300 }, (_, index) => ({
      ...limitedRate(100),
      caller: { actor: `k${index}`, tenant: 't' },
    })) as HeldKey[];
    const node = nodeOf(...keys);
    for (const { bucket } of keys) bucket!.asked += 1;
    await node.renews(2);
    expect(new Set(node.asked.map(({ limit }) => limit)).size).toBe(300);
  });
});

describe('the share of requests in flight', () => {
  it('is not less than what runs, and demands capacity for what was refused', async () => {
    const key = keyOf({ maxConcurrent: 16 });
    const node = nodeOf(key);
    node.inFlight = 3;
    key.crowdedOut = 2;
    await node.renews();
    expect(node.asked).toEqual([expect.objectContaining({ demand: 5, used: 3, whole: true })]);
    expect(key.crowdedOut).toBe(0);
  });

  it('is kept while requests run, whose callers call no more', async () => {
    const node = nodeOf(keyOf({ maxConcurrent: 16 }));
    node.inFlight = 1;
    await node.renews(20);
    expect(node.asked).toHaveLength(20);
  });

  it('is demanded for calls that were all refused', async () => {
    const key = keyOf({ maxConcurrent: 16 });
    const node = nodeOf(key);
    key.crowdedOut = 2;
    await node.renews();
    expect(node.asked).toEqual([expect.objectContaining({ demand: 2, used: 0 })]);
  });
});
