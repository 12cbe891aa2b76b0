/** The contract of leases and shares, over every backend. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ShareRequest } from '../leases/shares.ts';
import { code, deployment, overEveryState } from '../testing/every-state.ts';

const TTL_MS = 10_000;

overEveryState(
  'leases',
  (at) => {
    it('have one holder at a time, and tokens that count up', async () => {
      const other = await at.another();
      const first = await at.state.leases.acquire('rollouts', 'a', TTL_MS);
      expect(await other.leases.acquire('rollouts', 'b', TTL_MS)).toBeUndefined();
      const elsewhere = await other.leases.acquire('scaling', 'b', TTL_MS);
      expect(await other.leases.holder('rollouts')).toBe('a');
      await first!.release();
      expect(await other.leases.holder('rollouts')).toBeUndefined();
      const second = await other.leases.acquire('rollouts', 'b', TTL_MS);
      expect(second!.token).toBeGreaterThan(first!.token);
      expect(elsewhere!.token).not.toBe(first!.token);
      await first!.release();
      expect(await at.state.leases.holder('rollouts')).toBe('b');
    });

    it('end on the clock of the store unless they are renewed, and are not renewed after that', async () => {
      const a = await at.state.leases.acquire('x', 'a', TTL_MS);
      at.now += TTL_MS - 1;
      expect(await a!.renew()).toBe(true);
      at.now += TTL_MS - 1;
      expect(await at.state.leases.holder('x')).toBe('a');
      at.now += 1;
      expect(await at.state.leases.holder('x')).toBeUndefined();
      expect(await a!.renew()).toBe(false);
      expect(await at.state.leases.acquire('x', 'b', TTL_MS)).toBeDefined();
      expect(await a!.renew()).toBe(false);
    });

    it('fence the writes of a holder that has lost them', async () => {
      const a = (await at.state.leases.acquire('rollouts', 'a', TTL_MS))!;
      const row = await at.state.putDeployment(deployment('d'), 0, a);
      at.now += TTL_MS;
      await expect(at.state.putDeployment(deployment('d'), row.revision, a)).rejects.toEqual(
        code('LEASE_LOST'),
      );
      const b = (await at.state.leases.acquire('rollouts', 'b', TTL_MS))!;
      await expect(at.state.putDeployment(deployment('d'), row.revision, a)).rejects.toEqual(
        code('LEASE_LOST'),
      );
      expect(await at.state.putDeployment(deployment('d'), row.revision, b)).toMatchObject({
        revision: 2,
      });
      const again = (await at.state.leases.acquire('rollouts', 'b', TTL_MS))!;
      expect(again.token).toBeGreaterThan(b.token);
      await expect(at.state.putDeployment(deployment('d'), 2, b)).rejects.toEqual(
        code('LEASE_LOST'),
      );
      await expect(
        at.state.putDeployment(deployment('d'), 2, { name: 'never', token: 1 }),
      ).rejects.toEqual(code('LEASE_LOST'));
      expect(await at.state.deployment('d')).toMatchObject({ revision: 2 });
    });
  },
  "the test's",
);

overEveryState(
  'shares of a limit',
  (at) => {
    const renew = (member: string, demand: number, more: Partial<ShareRequest> = {}) =>
      at.state.shares.renew({ limit: 'k', member, demand, total: 100, ttlMs: TTL_MS, ...more });

    it('go to the members by their demand, and leave a part to idle ones', async () => {
      expect(await renew('a', 100)).toBe(100);
      expect(await renew('b', 50)).toBe(0);
      const a = await renew('a', 100);
      const b = await renew('b', 50);
      expect(a + b).toBeCloseTo(100);
      expect(a / b).toBeGreaterThan(1.5);
      expect(a / b).toBeLessThan(2);
      for (const round of [0, 1]) {
        expect(await renew('a', 200)).toBeGreaterThan(0);
        const idle = await renew('b', 0);
        if (round === 1) expect(idle).toBeGreaterThan(3);
        expect(idle).toBeLessThan(10);
      }
    });

    it('leave what is not demanded to the members that have none yet', async () => {
      const three = { members: 3 };
      for (const member of 'abc') expect(await renew(member, 10, three)).toBeGreaterThan(30);
      // A demanded share is not kept for members that may never need it.
      expect(await renew('alone', 200, { ...three, limit: 'l' })).toBe(100);
      const one = { ...three, limit: 'whole', total: 1, whole: true };
      expect(await renew('a', 1, one)).toBe(1);
    });

    it('of a member that dies return when its lease ends', async () => {
      await renew('dead', 100);
      at.now += TTL_MS - 1;
      expect(await renew('a', 100)).toBe(0);
      at.now += 1;
      expect(await renew('a', 100)).toBe(100);
    });

    it('are whole where things are counted, and not less than what is in use', async () => {
      expect(await renew('a', 100, { whole: true, used: 80 })).toBe(100);
      expect(await renew('b', 100, { whole: true })).toBe(0);
      expect(await renew('a', 100, { whole: true, used: 80 })).toBe(80);
      expect(await renew('b', 100, { whole: true })).toBe(20);
      expect(await renew('a', 100, { whole: true })).toBe(50);
      const shares = new Map<string, number>();
      for (const member of 'abcabcabc') shares.set(member, await renew(member, 9, { whole: true }));
      expect([...shares.values()].toSorted((x, y) => x - y)).toEqual([33, 33, 34]);
    });

    it('never sum to more than the total, whatever happens', async () => {
      const step = fc.record({
        member: fc.constantFrom('a', 'b', 'c', 'd'),
        demand: fc.double({ min: 0, max: 1e6, noNaN: true }),
        whole: fc.boolean(),
        total: fc.constantFrom(0, 1, 2.5, 10),
        ms: fc.integer({ min: 0, max: TTL_MS }),
      });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          round += 1;
          const limit = `limit-${round}`;
          const total = steps[0]?.total ?? 0;
          const live = new Map<string, { share: number; until: number }>();
          for (const { member, demand, whole, ms } of steps) {
            at.now += ms;
            const request = { limit, member, demand, whole, total, ttlMs: TTL_MS };
            const share = await at.state.shares.renew(request);
            live.set(member, { share, until: at.now + TTL_MS });
            const shares = [...live.values()].filter(({ until }) => until > at.now);
            const sum = shares.reduce((all, each) => all + each.share, 0);
            expect(share).toBeGreaterThanOrEqual(0);
            expect(sum).toBeLessThanOrEqual(total * (1 + 1e-9));
          }
        }),
        { numRuns: 30, seed: 5 },
      );
    });
  },
  "the test's",
);
