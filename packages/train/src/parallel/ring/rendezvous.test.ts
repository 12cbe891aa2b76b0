import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Collective } from '../collective.ts';
import { ringOptions } from '../testing/ring.ts';
import { joinRing } from './rendezvous.ts';

/** Connects to rank 0, which listens already or will soon. */
async function connected(port: number) {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    if (open) return socket;
  }
}

const closed = (collectives: readonly Collective[]) =>
  Promise.all(collectives.map((each) => each.close()));

it('gives all ranks the same view of their locations', async () => {
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === 'IPv4' && !each.internal);
  const hosts = { '127.0.0.1': 'possible', ...(outside && { [outside.address]: 'worthwhile' }) };
  for (const [host, overlap] of Object.entries(hosts)) {
    const ring = { ...(await ringOptions(3)), host };
    const ranks = await Promise.all([0, 1, 2].map((rank) => joinRing({ ...ring, rank })));
    expect(ranks).toMatchObject(ranks.map(() => ({ overlap })));
    await closed(ranks);
  }
});

it('names the ranks that never arrive', async () => {
  const ring = { ...(await ringOptions(4)), arrivalMs: 300, timeoutMs: 60_000 };
  const [first, second] = await Promise.allSettled(
    [0, 2].map((rank) => joinRing({ ...ring, rank })),
  );
  expect(first).toMatchObject({
    status: 'rejected',
    reason: { kind: 'rank', rank: 1, message: 'Rank 1 has not arrived, nor have ranks 3.' },
  });
  expect(second).toMatchObject({ status: 'rejected', reason: { rank: 1 } });
});

it('names a leader that cannot be reached', async () => {
  const ring = { ...(await ringOptions(2)), arrivalMs: 200, rank: 1 };
  await expect(joinRing(ring)).rejects.toThrow(
    `Rank 0 cannot be reached at 127.0.0.1:${ring.port}: `,
  );
});

it('names the silent rank on all ranks', async () => {
  const ring = { ...(await ringOptions(3)), timeoutMs: 300 };
  const ranks = await Promise.all([0, 1, 2].map((rank) => joinRing({ ...ring, rank })));
  const own = ranks.map((rank) => rank.own('float32', 10));
  const results = await Promise.allSettled(
    [0, 1].map(async (r) => {
      const rank = ranks[r]!;
      try {
        await rank.sum(own[r]!, rank.common('float32', 10));
      } catch (error) {
        await rank.close(error as never);
        throw error;
      }
    }),
  );
  expect(results).toMatchObject([
    { reason: { rank: 2, message: 'Rank 2 has not answered for 0.3 s.' } },
    { reason: { rank: 2 } },
  ]);
  await closed(ranks);
});

it('refuses a caller that does not know the secret or trains another plan', async () => {
  const ring = { ...(await ringOptions(2)), arrivalMs: 800 };
  const stranger = { ...ring, rank: 1, secret: randomBytes(16), arrivalMs: 300 };
  const [leader, other] = await Promise.allSettled([
    joinRing({ ...ring, rank: 0 }),
    joinRing(stranger),
  ]);
  expect(leader).toMatchObject({ reason: { rank: 1, message: 'Rank 1 has not arrived.' } });
  expect(other).toMatchObject({
    reason: { message: expect.stringContaining('it does not know the secret') },
  });
  const next = { ...(await ringOptions(2)), arrivalMs: 800 };
  const [asked] = await Promise.allSettled([
    joinRing({ ...next, rank: 0 }),
    joinRing({ ...next, rank: 1, plan: 'another', arrivalMs: 300 }),
  ]);
  expect(asked).toMatchObject({
    reason: { message: 'Rank 1 has not arrived: rank 1 trains something else.' },
  });
});

it('completes although unknown callers send noise, nothing, or half of a hello', async () => {
  const ring = await ringOptions(2);
  const leader = joinRing({ ...ring, rank: 0 });
  const noise = [
    randomBytes(64),
    randomBytes(100_000),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.alloc(0),
  ];
  const strangers = await Promise.all(
    noise.map(async (bytes) => {
      const socket = await connected(ring.port);
      socket.on('error', () => undefined).resume();
      socket.write(bytes);
      return socket;
    }),
  );
  const ranks = await Promise.all([leader, joinRing({ ...ring, rank: 1 })]);
  const sums = await Promise.all(
    ranks.map(async (rank) => {
      const own = rank.own('float32', 3).fill(rank.rank + 1);
      const into = rank.common('float32', 3);
      await rank.sum(own, into);
      return [...into];
    }),
  );
  expect(sums).toEqual([
    [3, 3, 3],
    [3, 3, 3],
  ]);
  await closed(ranks);
  for (const socket of strangers) socket.destroy();
});
