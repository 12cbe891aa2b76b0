/** The contract of members, over every backend. */
import { expect, it } from 'vitest';
import { code, memberInfo, overEveryState, START } from '../testing/every-state.ts';

const LEASE_MS = 10_000;

overEveryState(
  'members',
  (at) => {
    const names = async () => (await at.state.members.list()).map(({ name }) => name);

    it('lists those with a live lease, with what they last published', async () => {
      const other = await at.another();
      const a = await at.state.members.join(memberInfo('a'), LEASE_MS);
      const b = await other.members.join(memberInfo('b'), LEASE_MS);
      expect(a.incarnation).not.toBe(b.incarnation);
      expect(await names()).toEqual(['a', 'b']);
      at.now += 6000;
      const info = memberInfo('a', { loaded: [], load: { queued: 3, models: [] } });
      expect(await a.renew(info)).toBe(true);
      at.now += 6000;
      expect(await at.state.members.list()).toEqual([
        {
          ...info,
          incarnation: a.incarnation,
          joinedAt: new Date(START).toISOString(),
          renewedAt: new Date(START + 6000).toISOString(),
        },
      ]);
    });

    it('lets no lease that has ended be renewed: the member joins again, as another', async () => {
      const a = await at.state.members.join(memberInfo('a'), LEASE_MS);
      at.now += LEASE_MS;
      expect(await names()).toEqual([]);
      expect(await a.renew(memberInfo('a'))).toBe(false);
      const again = await at.state.members.join(memberInfo('a'), LEASE_MS);
      expect(again.incarnation).not.toBe(a.incarnation);
      await a.leave();
      expect(await names()).toEqual(['a']);
      await again.leave();
      expect(await names()).toEqual([]);
    });

    it('distinguishes members that use the same address', async () => {
      const first = await at.state.members.join(memberInfo('a'), LEASE_MS);
      const second = await at.state.members.join(memberInfo('a'), LEASE_MS);
      await first.leave();
      expect((await at.state.members.list()).map((each) => each.incarnation)).toEqual([
        second.incarnation,
      ]);
    });

    it('announces the end of a lease when another member calls', async () => {
      await at.state.members.join(memberInfo('a'), LEASE_MS);
      const dead = (await at.state.members.list())[0]!.incarnation;
      at.now += 5000;
      const b = await at.state.members.join(memberInfo('b'), LEASE_MS);
      const { cursor } = await at.state.position();
      at.now += 5000;
      await b.renew(memberInfo('b'));
      const stop = new AbortController();
      for await (const page of at.state.changes(cursor, stop.signal)) {
        expect(page).toMatchObject([{ kind: 'member', id: dead, removed: true }]);
        break;
      }
    });

    it('writes what its oldest member reads until it is finalised, and then keeps that one out', async () => {
      const old = memberInfo('old', { schema: { reads: [1, 1] } });
      const young = memberInfo('young', { schema: { reads: [1, 2] } });
      expect(await at.state.members.schema()).toBe(1);
      const stays = await at.state.members.join(old, LEASE_MS);
      await at.state.members.join(young, LEASE_MS);
      expect(await at.state.members.finalise()).toBe(1);
      await stays.leave();
      expect(await at.state.members.schema()).toBe(1);
      expect(await at.state.members.finalise()).toBe(2);
      expect(await at.state.members.schema()).toBe(2);
      await expect(at.state.members.join(old, LEASE_MS)).rejects.toEqual(code('STATE_TOO_NEW'));
      await at.state.members.join(memberInfo('next', { schema: { reads: [2, 3] } }), LEASE_MS);
      const late = memberInfo('late', { schema: { reads: [3, 4] } });
      await expect(at.state.members.join(late, LEASE_MS)).rejects.toEqual(code('STATE_TOO_NEW'));
      expect(await names()).toEqual(['young', 'next']);
    });
  },
  "the test's",
);
