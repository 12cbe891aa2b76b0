/** The contract of stored responses, over every backend. */
import { expect, it } from 'vitest';
import { overEveryState, START } from '../testing/every-state.ts';

const HOUR_MS = 3_600_000;

overEveryState(
  'responses',
  (at) => {
    const put = (
      id: string,
      {
        owner = 'a',
        value = id,
        previous = undefined as string | undefined,
        count = 10,
        bytes = 1000,
        endsAt = at.now + HOUR_MS,
      } = {},
    ) => at.state.responses.putResponse(owner, { id, previous, value }, { count, bytes, endsAt });
    const idsOf = async (id: string, owner = 'a', state = at.state) =>
      (await state.responses.responseChain(owner, id)).map((each) => each.id);

    it('are a chain, which another connection and a later process read too', async () => {
      const value = JSON.stringify({ text: 'größer "and" \n 🌊', none: null });
      expect(await put('one', { value })).toBe(true);
      await put('two', { previous: 'one' });
      await put('three', { previous: 'two' });
      const other = await at.another();
      expect(await idsOf('three', 'a', other)).toEqual(['three', 'two', 'one']);
      await at.reopen();
      expect(await at.state.responses.responseChain('a', 'two')).toEqual([
        { id: 'two', previous: 'one', value: 'two' },
        { id: 'one', previous: undefined, value },
      ]);
      expect(await idsOf('absent')).toEqual([]);
    });

    it('are each in a chain once, also where it leads back to itself', async () => {
      await put('one', { previous: 'two' });
      await put('two', { previous: 'one' });
      expect(await idsOf('one')).toEqual(['one', 'two']);
    });

    it('belong to their owner, whatever is in the names', async () => {
      await put('one', { owner: 'a' });
      await put('b one', { owner: 'a' });
      await put('one', { owner: 'a b', value: 'other' });
      expect(await at.state.responses.removeResponse('b', 'one')).toBe(false);
      expect(await idsOf('one', 'b')).toEqual([]);
      expect(await at.state.responses.removeResponse('a', 'one')).toBe(true);
      expect(await at.state.responses.removeResponse('a', 'one')).toBe(false);
      expect(await at.state.responses.responseChain('a b', 'one')).toEqual([
        { id: 'one', previous: undefined, value: 'other' },
      ]);
      expect(await idsOf('b one')).toEqual(['b one']);
    });

    it('free capacity for a new one by removing those that end first, of their owner alone', async () => {
      await put('other', { owner: 'b' });
      for (const id of ['1', '2', '3', '4']) await put(id, { count: 3 });
      expect(await Promise.all(['1', '2', '3', '4'].map((id) => idsOf(id)))).toEqual([
        [],
        ['2'],
        ['3'],
        ['4'],
      ]);
      expect(await put('large', { value: 'ü'.repeat(10), bytes: 21 })).toBe(true);
      expect(await Promise.all(['3', '4', 'large'].map((id) => idsOf(id)))).toEqual([
        [],
        ['4'],
        ['large'],
      ]);
      expect(await put('too large', { value: 'ü'.repeat(11), bytes: 21 })).toBe(false);
      expect(await idsOf('too large')).toEqual([]);
      expect(await idsOf('large')).toEqual(['large']);
      expect(await idsOf('other', 'b')).toEqual(['other']);
    });

    it('free capacity by the end of their time, whichever came first', async () => {
      await put('early', { endsAt: START + 2 * HOUR_MS });
      await put('late', { endsAt: START + HOUR_MS });
      await put('next', { count: 2 });
      expect(await idsOf('late')).toEqual([]);
      expect(await idsOf('early')).toEqual(['early']);
    });

    it('are not removed with an earlier one of their id that has ended', async () => {
      await put('one', { endsAt: START + 1 });
      await put('two', { endsAt: START + HOUR_MS });
      at.now += 1;
      // A store that removes it by a clock of its own has done so by then.
      for (let n = 0; n < 50; n++) await put('other', { owner: 'b' });
      await put('one', { endsAt: START + HOUR_MS });
      await put('three', { count: 3 });
      expect(await idsOf('one')).toEqual(['one']);
    });

    it('are replaced under their id, and what they took is free again', async () => {
      // A response takes no place in addition to the one that it replaces.
      for (const id of ['older', 'newer', 'newer']) await put(id, { owner: 'b', count: 2 });
      expect(await idsOf('older', 'b')).toEqual(['older']);
      await put('one', { value: 'x'.repeat(20), bytes: 25 });
      await put('one', { value: 'y'.repeat(20), bytes: 25 });
      await put('two', { value: 'z'.repeat(5), bytes: 25 });
      expect(await idsOf('one')).toEqual(['one']);
      await at.state.responses.removeResponse('a', 'one');
      await put('three', { value: 'z'.repeat(20), bytes: 25 });
      expect(await idsOf('two')).toEqual(['two']);
    });

    it('are removed when their time ends, and then take nothing', async () => {
      await put('short', { value: 'x'.repeat(20), endsAt: START + 1000 });
      await put('long', { previous: 'short', value: 'y'.repeat(5) });
      at.now += 1000;
      expect(await idsOf('short')).toEqual([]);
      expect(await at.state.responses.removeResponse('a', 'short')).toBe(false);
      expect(await idsOf('long')).toEqual(['long']);
      await put('next', { value: 'z'.repeat(20), bytes: 25, count: 2 });
      expect(await idsOf('long')).toEqual(['long']);
      expect(await put('ended', { endsAt: at.now })).toBe(false);
    });

    it('end for all owners at once', async () => {
      await put('one');
      await put('one', { owner: 'b' });
      await at.state.responses.removeResponses();
      expect([...(await idsOf('one')), ...(await idsOf('one', 'b'))]).toEqual([]);
      await put('two', { bytes: 3 });
      expect(await idsOf('two')).toEqual(['two']);
    });
  },
  "the test's",
);
