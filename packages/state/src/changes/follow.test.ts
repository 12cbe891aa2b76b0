import { SkeinError } from '@skein/api/errors';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { startRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { openState } from '../open-state.ts';
import { streamArrivals } from '../redis/changes.ts';
import { STATE_FUNCTIONS } from '../redis/functions.ts';
import { connect } from '../redis/server/connection.ts';
import { openLocalState } from '../sqlite/local-state.ts';
import { createArrivals } from './arrivals.ts';
import type { StateChange } from './changes.ts';
import { followChanges } from './follow.ts';

/** Longer than a test: only a wake-up ends a wait. */
const NEVER_MS = 1e8;
const entry = { deployment: 'd', kind: 'scaled', reason: '', details: {}, actor: '' } as const;
const never = new AbortController().signal;

it('reads again when it is woken, without waiting for its own look', async () => {
  const store = openLocalState(':memory:');
  const arrivals = createArrivals(NEVER_MS);
  const changes = followChanges(store, arrivals, (await store.position()).cursor, never);
  const first = changes.next();
  await store.addHistory(entry);
  arrivals.wake();
  expect((await first).value).toMatchObject([{ kind: 'history', id: '1' }]);
  await store.close();
});

it('misses no change that is written between its read and its wait', async () => {
  const arrivals = createArrivals(NEVER_MS);
  const change: StateChange = { cursor: '1', kind: 'key', id: 'k' };
  let reads = 0;
  const store = {
    position: () => Promise.reject(new Error('not asked')),
    async changesAfter() {
      reads += 1;
      // Written just after this read, and announced before it returns.
      if (reads === 1) arrivals.wake();
      return reads === 1 ? [] : [change];
    },
  };
  const { value } = await followChanges(store, arrivals, '0', never).next();
  expect(value).toEqual([change]);
});

it('waits while the store is away, and passes on every other failure', async () => {
  const arrivals = createArrivals(0);
  const failures = ['STORE_UNREACHABLE', 'STORE_UNREACHABLE', 'CHANGES_TRIMMED'] as const;
  let reads = 0;
  const store = {
    position: () => Promise.reject(new Error('not asked')),
    changesAfter: () => Promise.reject(new SkeinError(failures[reads++] ?? 'INTERNAL', '')),
  };
  const next = followChanges(store, arrivals, '0', never).next();
  await expect(next).rejects.toMatchObject({ code: 'CHANGES_TRIMMED' });
});

it('ends when it is asked to, also while a silent store owes an answer', async () => {
  const stop = new AbortController();
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const store = {
    position: () => Promise.reject(new Error('not asked')),
    changesAfter: () => {
      resolve();
      return new Promise<never>(() => {});
    },
  };
  const next = followChanges(store, createArrivals(NEVER_MS), '0', stop.signal).next();
  await asked;
  stop.abort();
  expect(await next).toEqual({ done: true, value: undefined });
});

it.skipIf(requireComponent('redis').skip)(
  'is woken by the stream of Redis, also after Redis was away',
  { timeout: 60_000 },
  async () => {
    const server = await startRedis();
    const state = await openState(server.url);
    const prefix = 'skein:{fleet}:state:';
    const connection = connect(server.url, prefix, STATE_FUNCTIONS);
    const arrivals = streamArrivals(connection, `${prefix}changes`, NEVER_MS);
    const client = new Redis(server.url);
    client.on('error', () => {});
    const blocked = async () =>
      /blocked_clients:1/.test(await client.info('clients').catch(() => ''));
    try {
      for (const restart of [false, true]) {
        // The first wake-up comes when the reading begins, and after each failure.
        const stop = new AbortController();
        let woken = 0;
        const waiting = (async () => {
          while (!stop.signal.aborted) {
            await arrivals.next(stop.signal);
            woken += 1;
          }
        })();
        if (restart) {
          await server.kill();
          await server.start();
        }
        await expect.poll(blocked, { timeout: 20_000 }).toBe(true);
        const before = woken;
        await expect
          .poll(() => state.addHistory(entry).catch(() => undefined), { timeout: 20_000 })
          .toBeDefined();
        await expect.poll(() => woken, { timeout: 3000 }).toBeGreaterThan(before);
        stop.abort();
        await waiting;
      }
    } finally {
      arrivals.close();
      client.disconnect();
      await connection.close();
      await state.close();
      await server.destroy();
    }
  },
);
