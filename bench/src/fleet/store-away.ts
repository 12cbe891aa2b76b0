/** The effect on requests of a store that is killed, is away, and is back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { importSmall, infer, SETTINGS, since, type SharedRows } from './nodes.ts';

const SENDERS = 4;
/** Between two requests of one sender, in milliseconds. */
const PAUSE_MS = 10;
/** With the store, before and after. */
const AROUND_MS = 1000;

export const STORE_AWAY: SharedRows = {
  measures: [
    {
      key: 'store_away_failed',
      what: 'store away for a minute: requests failed because of it',
      unit: '',
      target: { atMost: 0 },
    },
  ],
  async measure({ redis, client, urls, key }, { quick, progress }) {
    const awayMs = quick ? 3000 : 60_000;
    progress(`a store that is away for ${awayMs / 1000} s`);
    const version = await importSmall(client, 'away', 1);
    await client.deploy({ name: 'away', version, settings: SETTINGS });
    const served = async (url: string) => (await infer(url, 'away', key)) === 200;
    await Promise.all(urls.map((url) => since(0, () => served(url))));

    const statuses = new Map<number, number>();
    const ended = new AbortController();
    const senders = Array.from({ length: SENDERS }, async (_, index) => {
      while (!ended.signal.aborted) {
        const status = await infer(urls[index % urls.length]!, 'away', key);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        await sleep(PAUSE_MS);
      }
    });
    await sleep(AROUND_MS);
    await redis.kill();
    await sleep(awayMs);
    await redis.start();
    await sleep(AROUND_MS);
    ended.abort();
    await Promise.all(senders);
    const all = [...statuses.values()].reduce((sum, count) => sum + count, 0);
    return {
      results: { store_away_failed: all - (statuses.get(200) ?? 0) },
      details: {
        store_away: { away_s: awayMs / 1000, requests: all, ...Object.fromEntries(statuses) },
      },
    };
  },
};
