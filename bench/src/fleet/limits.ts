/** Whether the rate limit of a key holds over eight nodes that are each asked for more than all of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { importSmall, infer, SETTINGS, since, type SharedRows } from './nodes.ts';

const NODES = 8;
/** Rate limit of the key, in requests per second. */
const RATE = 40;
/** Between two requests to one node, in milliseconds: half of the limit, at each of eight. */
const PAUSE_MS = 50;

export const LIMIT: SharedRows = {
  measures: [
    {
      key: 'limit_overshoot',
      what: 'rate limit over 8 nodes: admitted over what one node would admit',
      unit: '×',
      target: { atMost: 1.1 },
    },
  ],
  async measure({ client, urls, key }, { quick, progress }) {
    progress(`a limit over ${NODES} nodes`);
    const asking = urls.slice(0, NODES);
    const version = await importSmall(client, 'limited', 1);
    await client.deploy({ name: 'limited', version, settings: SETTINGS });
    const limited = await client.createKey({
      label: 'bench',
      tenant: 'bench',
      scopes: ['infer'],
      ratePerSecond: RATE,
    });
    const served = async (url: string) => (await infer(url, 'limited', key)) === 200;
    await Promise.all(asking.map((url) => since(0, () => served(url))));
    await sleep(1000);

    let admitted = 0;
    let asked = 0;
    const begun = performance.now();
    const end = begun + (quick ? 3000 : 20_000);
    await Promise.all(
      asking.map(async (url) => {
        for (let at = begun; performance.now() < end; at += PAUSE_MS) {
          await sleep(Math.max(0, at - performance.now()));
          asked += 1;
          if ((await infer(url, 'limited', limited.secret)) === 200) admitted += 1;
        }
      }),
    );
    const seconds = (performance.now() - begun) / 1000;
    // A bucket of one second's requests, and the seconds.
    const limit = RATE + RATE * seconds;
    return {
      results: { limit_overshoot: admitted / limit },
      details: { limit: { rate: RATE, seconds, asked, admitted, limit } },
    };
  },
};
