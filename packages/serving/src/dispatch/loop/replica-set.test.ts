/** With a clock and timers that only the test advances. */
import type { SkeinError } from '@skein/api';
import { RuntimeFailure, type Session } from '@skein/runtime';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Replica } from './replica.ts';
import { ReplicaSet, type ReplicaSetOptions } from './replica-set.ts';

interface Opening {
  succeed(): { lose(): void };
  fail(kind: RuntimeFailure['kind']): void;
}

let openings: Opening[];
let closed: number;
let set: ReplicaSet;

function open(): Promise<Session> {
  const opening = Promise.withResolvers<Session>();
  const lost = Promise.withResolvers<RuntimeFailure>();
  openings.push({
    succeed: () => {
      opening.resolve({
        signature: { inputs: [], outputs: [] },
        run: () => Promise.reject(new RuntimeFailure('run', 'unused')),
        lost: lost.promise,
        close: async () => void closed++,
      });
      return { lose: () => lost.resolve(new RuntimeFailure('lost', 'crashed')) };
    },
    fail: (kind) => opening.reject(new RuntimeFailure(kind, `no ${kind}`)),
  });
  return opening.promise;
}

function states(): string[] {
  return set.snapshot().map(({ state }) => state);
}

/** Lets resolved promises take effect, after `ms` of time. */
async function pass(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
  });
  openings = [];
  closed = 0;
  set = new ReplicaSet({
    clock: performance,
    open,
    warm: async () => {},
    isolation: () => 'process',
    startTimeoutMs: 60_000,
    version: '1',
    onChange: () => {},
  });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('replica set', () => {
  test('starts missing replicas and drains surplus ones, those that are starting first', async () => {
    set.scaleTo(2);
    expect(states()).toEqual(['loading', 'loading']);
    openings[0]!.succeed();
    await pass();
    expect(states()).toEqual(['ready', 'loading']);
    set.scaleTo(1);
    expect(states()).toEqual(['ready', 'draining']);
    await pass();
    expect(states()).toEqual(['ready']);
    // It becomes ready when it is not wanted any more.
    openings[1]!.succeed();
    await pass();
    expect(states()).toEqual(['ready']);
    expect(closed).toBe(1);
  });

  test('is ready with the first replica', async () => {
    await expect(set.whenReady()).resolves.toBeUndefined();
    set.scaleTo(2);
    let ready = false;
    const waiting = set.whenReady().then(() => (ready = true));
    await pass();
    expect(ready).toBe(false);
    openings[1]!.succeed();
    await waiting;
    expect(ready).toBe(true);
  });

  test.each([
    ['load', 'MODEL_LOAD_FAILED'],
    ['unavailable', 'DEVICE_UNAVAILABLE'],
  ] as const)(
    'fails at the first %s failure of a version that never ran, and tries again later',
    async (kind, code) => {
      set.scaleTo(1);
      const ready = set.whenReady().catch((error: SkeinError) => error.code);
      openings[0]!.fail(kind);
      expect(await ready).toBe(code);
      expect(set.snapshot()).toMatchObject([{ state: 'gone', failure: `no ${kind}` }]);
      expect(set.expectedAt()).toBeUndefined();
      await expect(set.whenReady()).rejects.toMatchObject({ code });
      await pass(59_000);
      expect(openings).toHaveLength(1);
      await pass(2_000);
      expect(openings).toHaveLength(2);
      openings[1]!.succeed();
      await pass();
      expect(set.failed).toBeUndefined();
    },
  );

  test('replaces a lost replica at once, then after growing pauses, then fails with the reason', async () => {
    set.scaleTo(1);
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      const start = performance.now();
      while (openings.length <= i) await pass(10);
      pauses.push(performance.now() - start);
      const session = openings[i]!.succeed();
      await pass();
      expect(states()[0]).toBe('ready');
      session.lose();
      await pass();
    }
    expect(pauses).toEqual([0, 0, 100, 200, 400, 800, 1_600, 3_200]);
    expect(set.failed?.code).toBe('MODEL_LOAD_FAILED');
    expect(set.failed?.message).toMatch(/8 attempts: crashed/);
    expect(states()).toEqual(['gone', 'gone', 'gone']);
  });

  test('resets the failure count after good service', async () => {
    set.scaleTo(1);
    for (let i = 0; i < 12; i++) {
      await pass(10);
      const session = openings[i]!.succeed();
      await pass(31_000);
      session.lose();
      await pass();
    }
    expect(openings).toHaveLength(13);
    expect(set.failed).toBeUndefined();
  });

  test('resets the failure count after one run, so that a bad request does not fail the version for other requests', async () => {
    let replica: { runs: number } | undefined;
    set = new ReplicaSet({
      clock: performance,
      open,
      warm: async () => {},
      isolation: () => 'process',
      startTimeoutMs: 60_000,
      version: '1',
      onChange: (changed) => void (replica = changed),
    });
    set.scaleTo(1);
    for (let i = 0; i < 40; i++) {
      while (openings.length <= i) await pass(50);
      const session = openings[i]!.succeed();
      await pass();
      // The request ends two replicas each time, and other requests run in between.
      replica!.runs = i % 2 === 0 ? 1 : 0;
      session.lose();
      await pass();
    }
    expect(set.failed).toBeUndefined();
  });

  test('restarts several one by one after failures', async () => {
    set.scaleTo(3);
    const sessions = openings.map((opening) => opening.succeed());
    await pass();
    for (const session of sessions) session.lose();
    await pass();
    while (openings.length < 4) await pass(50);
    await pass(10_000);
    expect(openings.length).toBeLessThanOrEqual(5);
    while (states().filter((state) => state === 'ready').length < 3) {
      openings.forEach((opening) => opening.succeed());
      await pass(50);
    }
    expect(states().slice(0, 3)).toEqual(['ready', 'ready', 'ready']);
  });

  test('expects a replica after as long as the last one took', async () => {
    set.scaleTo(1);
    expect(set.expectedAt()).toBe(performance.now() + 1_000);
    await pass(300);
    const session = openings[0]!.succeed();
    await pass();
    expect(set.expectedAt()).toBeUndefined();
    session.lose();
    await pass();
    expect(set.expectedAt()).toBe(performance.now() + 300);
  });

  describe('ends a replica', () => {
    let replica: Replica | undefined;
    const watched = (more: Partial<ReplicaSetOptions> = {}): ReplicaSet =>
      new ReplicaSet({
        clock: performance,
        open,
        warm: async () => {},
        isolation: () => 'process',
        startTimeoutMs: 5_000,
        version: '1',
        onChange: (changed) => void (replica = changed),
        ...more,
      });

    test('whose run has exceeded its timeout', async () => {
      set = watched();
      set.scaleTo(1);
      openings[0]!.succeed();
      await pass();
      Object.assign(replica!, { rows: 1, startedAt: performance.now() });
      replica!.timesOutAt = performance.now() + 2_000;
      await pass(1_990);
      expect(states()).toEqual(['ready']);
      await pass(300);
      expect(set.snapshot().at(-1)).toMatchObject({
        state: 'gone',
        failure: expect.stringMatching(/not ended after 2\.\d s/),
      });
      expect(closed).toBe(1);
    });

    test('but does not count the time in which this thread was stalled', async () => {
      let stoodMs = 0;
      set = watched({ clock: { now: () => performance.now() + stoodMs } });
      set.scaleTo(1);
      openings[0]!.succeed();
      await pass();
      Object.assign(replica!, { rows: 1, startedAt: performance.now() });
      replica!.timesOutAt = performance.now() + 2_000;
      stoodMs = 60_000;
      await pass(1_000);
      expect(states()).toEqual(['ready']);
      await pass(1_500);
      expect(states()).not.toContain('ready');
    });

    test.each([
      ['loads', async () => {}],
      ['warms up', () => new Promise<void>(() => {})],
    ])('that %s for ever, and reports it', async (what, warm) => {
      set = watched({ warm });
      set.scaleTo(1);
      const ready = set.whenReady().catch((error: SkeinError) => error);
      if (what === 'warms up') openings[0]!.succeed();
      await pass(4_990);
      expect(states()).toEqual([what === 'loads' ? 'loading' : 'warming']);
      await pass(20);
      expect(await ready).toMatchObject({
        code: 'MODEL_START_TIMEOUT',
        message: expect.stringContaining('after 5000 ms') as string,
      });
      expect(closed).toBe(what === 'loads' ? 0 : 1);
    });

    test('of a thread before it is loaded, if it fails its trial; later ones have no trial', async () => {
      const trials: AbortSignal[] = [];
      const prove = (signal: AbortSignal): Promise<void> => {
        trials.push(signal);
        return trials.length < 3 ? new Promise(() => {}) : Promise.resolve();
      };
      set = watched({ prove, isolation: () => 'thread' });
      set.scaleTo(1);
      const ready = set.whenReady().catch((error: SkeinError) => error);
      await pass(5_000);
      expect(await ready).toMatchObject({ code: 'MODEL_START_TIMEOUT' });
      expect([trials.length, trials[0]!.aborted, openings.length]).toEqual([1, true, 0]);
      await pass(60_000);
      set.scaleTo(0);
      await pass();
      expect(trials[1]!.aborted).toBe(true);
      set.scaleTo(2);
      await pass();
      expect(openings.length).toBe(2);
      openings.forEach((opening) => opening.succeed());
      await pass();
      set.scaleTo(3);
      await pass();
      expect(trials.length).toBe(4);
    });
  });

  test('closing ends running replicas, and does not wait for loading or pending ones', async () => {
    set.scaleTo(2);
    openings[0]!.succeed();
    await pass();
    await set.close();
    expect(closed).toBe(1);
    openings[1]!.succeed();
    await pass();
    expect(closed).toBe(2);
    set.scaleTo(5);
    expect(openings).toHaveLength(2);
  });
});
