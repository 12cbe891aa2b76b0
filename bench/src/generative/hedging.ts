/** The gain of hedging the slowest requests, and its cost, with an upstream that answers 3 % of the requests slowly. */
import { LanguageSettings } from '@skein/api';
import { openGateway } from '@skein/generative';
import { openFaultyUpstream } from '@skein/generative/faulty-upstream';
import type { RowGroup } from '../harness/row-group.ts';
import { quantile } from '../harness/statistics.ts';
import { askInTurn, seeded } from './requests.ts';

const CLIENTS = 24;
const WARM_UP = 600;
const SLOW_SHARE = 0.03;
/** The most that hedges may add. */
const MOST_MORE = 0.05;

export const HEDGING: RowGroup = {
  measures: [
    {
      key: 'hedge_p99_ratio',
      what: 'first token, p99 with hedging over without, at ≤ 5 % more requests',
      unit: '×',
      target: { atMost: 0.5 },
    },
  ],
  async measure({ quick, progress }) {
    const requests = quick ? 1500 : 10_000;
    // At the same time: both wait nearly all of theirs.
    const [without, hedged] = await Promise.all([run(false, requests), run(true, requests)]);
    progress(`hedging: p99 ${without.p99.toFixed(0)} → ${hedged.p99.toFixed(0)} ms`);
    if (hedged.more > MOST_MORE) throw new Error(`Hedges added ${hedged.more} of the requests.`);
    return {
      results: { hedge_p99_ratio: hedged.p99 / without.p99 },
      details: { hedge_more: hedged.more, hedge_p99_ms: hedged.p99, unhedged_p99_ms: without.p99 },
    };
  },
};

async function run(hedge: boolean, requests: number): Promise<{ p99: number; more: number }> {
  const random = seeded(7);
  const firstTokenMs = (): number =>
    random() < SLOW_SHARE ? 600 + 600 * random() : 30 + 20 * random();
  const upstream = await openFaultyUpstream({ firstTokenMs });
  const gateway = await openGateway({
    settings: LanguageSettings.parse({
      providers: [
        {
          name: 'tail',
          kind: 'openai',
          baseUrl: upstream.baseUrl('openai', 'none'),
          maxConcurrent: 256,
        },
      ],
      models: [{ name: 'm', routes: [{ provider: 'tail', model: 'm' }], ttftMs: 1000, hedge }],
    }),
  });
  try {
    // Until its connections are open and its quantiles are believed.
    await askInTurn(gateway, 'm', CLIENTS, (asked) => asked >= WARM_UP);
    const before = upstream.requests;
    const outcomes = await askInTurn(gateway, 'm', CLIENTS, (asked) => asked >= requests);
    const failed = outcomes.find(({ code }) => code !== undefined);
    if (failed !== undefined) throw new Error(`A request failed: ${failed.code}`);
    return {
      p99: quantile(
        outcomes.map(({ ttftMs }) => ttftMs),
        0.99,
      ),
      more: (upstream.requests - before) / outcomes.length - 1,
    };
  } finally {
    await gateway.close();
    await upstream.close();
  }
}
