import { SkeinError } from '@skein/api';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '@skein/onnx';
import { WAITING_PER_PLACE } from '../tuning.ts';
import { createPlaces } from './places.ts';

describe('places', () => {
  const signal = new AbortController().signal;

  it('go to tenants by their shares: one that sends a hundred does not delay another', async () => {
    const places = createPlaces(1, () => 1, { now: () => 0 });
    const order: string[] = [];
    const release = await places.acquire({ tenant: 'busy', level: 3, longestMs: 60_000, signal });
    const all = ['busy', 'busy', 'busy', 'busy', 'quiet'].map(async (tenant) => {
      const done = await places.acquire({ tenant, level: 3, longestMs: 60_000, signal });
      order.push(tenant);
      done();
    });
    release();
    await Promise.all(all);
    expect(order[0]).toBe('quiet');
    expect(places.running).toBe(0);
  });

  /** In which order requests get the only place, by tenant and level, that come while another one has it. */
  async function orderOf(
    requests: readonly (readonly [tenant: string, level: number])[],
    weightOf: (tenant: string) => number = () => 1,
  ): Promise<string[]> {
    const places = createPlaces(1, weightOf, { now: () => 0 });
    const order: string[] = [];
    const first = { tenant: 'none', level: 1, longestMs: 60_000, signal };
    const release = await places.acquire(first);
    const all = requests.map(async ([tenant, level]) => {
      const done = await places.acquire({ tenant, level, longestMs: 60_000, signal });
      order.push(`${tenant} ${level}`);
      done();
    });
    release();
    await Promise.all(all);
    return order;
  }

  it('go to the most urgent of a tenant first, and to tenants by their weights', async () => {
    const levels = [3, 1, 2].map((level) => ['a', level] as const);
    expect(await orderOf(levels)).toEqual(['a 1', 'a 2', 'a 3']);
    // However urgent a tenant calls its own.
    const urgent = Array.from({ length: 4 }, () => ['urgent', 1] as const);
    expect((await orderOf([...urgent, ['patient', 3]])).indexOf('patient 3')).toBeLessThan(2);
    const eight = ['small', 'large'].flatMap((tenant) =>
      Array.from({ length: 8 }, () => [tenant, 3] as const),
    );
    const order = await orderOf(eight, (tenant) => (tenant === 'large' ? 3 : 1));
    expect(order.slice(0, 8).filter((tenant) => tenant === 'large 3')).toHaveLength(6);
  });

  it('are not owed to a tenant that comes after others were served', async () => {
    const places = createPlaces(1, () => 1, { now: () => 0 });
    const request = (tenant: string) => ({ tenant, level: 3, longestMs: 60_000, signal });
    for (let served = 0; served < 20; served++) (await places.acquire(request('busy')))();
    const release = await places.acquire(request('busy'));
    const order: string[] = [];
    const waiting = ['new', 'new', 'new', 'busy', 'busy'].map(async (tenant) => {
      const done = await places.acquire(request(tenant));
      order.push(tenant);
      done();
    });
    release();
    await Promise.all(waiting);
    expect(order.indexOf('busy')).toBeLessThan(3);
  });

  it('promise a tenant the wait of its own share, which simulation finds exact', async () => {
    const random = seededRandom(11);
    const pick = (most: number): number => Math.floor(random.next() * most);
    for (let round = 0; round < 200; round++) {
      let now = 0;
      // No sum of these weights is rounded.
      const weights: Record<string, number> = { a: 1 + pick(2), b: 1 + pick(2), c: 1 };
      const places = createPlaces(1, (tenant) => weights[tenant]!, { now: () => now });
      const served: string[] = [];
      const free: (() => void)[] = [];
      const ask = (tenant: string) =>
        places.acquire({ tenant, level: 3, longestMs: 60_000, signal }).then((release) => {
          served.push(tenant);
          free.push(release);
        });
      // One second each.
      await ask('c');
      now += 1000;
      free.pop()!();
      await ask('c');
      const waiting = Array.from({ length: pick(12) }, () => ask('abc'[pick(3)]!));
      const expected = places.expectedWaitMs('a');
      served.length = 0;
      const last = ask('a');
      let isServed = false;
      void last.then(() => (isServed = true));
      while (!isServed) {
        now += 1000;
        free.pop()!();
        await new Promise(setImmediate);
      }
      expect(served.length * 1000).toBe(Math.round(expected));
      while (places.running > 0) {
        free.pop()!();
        await new Promise(setImmediate);
      }
      await Promise.all(waiting);
    }
  });

  it('give a tenant with less in a full queue the place of the last one of another', async () => {
    const places = createPlaces(1, () => 1, { now: () => 0 });
    const request = (tenant: string) => ({ tenant, level: 3, longestMs: 60_000, signal });
    const release = await places.acquire(request('busy'));
    const waiting = Array.from({ length: WAITING_PER_PLACE }, () =>
      places.acquire(request('busy')),
    );
    const [last] = waiting.splice(-1);
    const quiet = places.acquire(request('quiet'));
    await expect(last).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await expect(places.acquire(request('busy'))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    release();
    for (const each of [quiet, ...waiting]) (await each)();
    expect([places.running, places.waiting]).toEqual([0, 0]);
  });

  it('are refused where too many wait already', async () => {
    const places = createPlaces(1, () => 1, { now: () => 0 });
    const request = { tenant: 'a', level: 3, longestMs: 60_000, signal };
    const release = await places.acquire(request);
    const waiting = Array.from({ length: WAITING_PER_PLACE }, () => places.acquire(request));
    await expect(places.acquire(request)).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    release();
    for (const each of waiting) (await each)();
    expect([places.running, places.waiting]).toEqual([0, 0]);
  });

  it('are left by a caller that goes, and by one whose first token would be late', async () => {
    const places = createPlaces(1, () => 1, { now: () => 0 });
    const release = await places.acquire({ tenant: 'a', level: 3, longestMs: 0, signal });
    const gone = new AbortController();
    const waiting = places.acquire({
      tenant: 'a',
      level: 3,
      longestMs: 60_000,
      signal: gone.signal,
    });
    gone.abort(new SkeinError('CANCELLED', 'gone'));
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
    const afterwards = { tenant: 'a', level: 3, longestMs: 1e9, signal: gone.signal };
    await expect(places.acquire(afterwards)).rejects.toMatchObject({ code: 'CANCELLED' });
    const late = places.acquire({ tenant: 'a', level: 3, longestMs: 1, signal });
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_UNREACHABLE' });
    expect(places.waiting).toBe(0);
    release();
    release();
    expect(places.running).toBe(0);
  });
});
