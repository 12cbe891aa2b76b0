/**
 * Three times as many requests as an upstream can answer, whose times have a heavy tail: is the
 * first token of what is admitted in time, and is the capacity used?
 */
import { LanguageSettings } from '@skein/api';
import { openGateway } from '@skein/generative';
import { openFaultyUpstream } from '@skein/generative/faulty-upstream';
import type { RowGroup } from '../harness/row-group.ts';
import { quantile } from '../harness/statistics.ts';
import { ask, askInTurn, seeded, type Outcome } from './requests.ts';

const OBJECTIVE_MS = 500;
const PLACES = 16;
const TIMES = 3;
const GAP_MS = 8;

const KEYS = {
  ttft: 'overload_ttft_ratio',
  goodput: 'overload_goodput',
} as const;

export const OVERLOAD: RowGroup = {
  measures: [
    {
      key: KEYS.ttft,
      what: 'first token at 3× overload, p99 of admitted over the objective',
      unit: '×',
      target: { atMost: 1 },
    },
    {
      key: KEYS.goodput,
      what: 'answers in time at 3× overload, over the capacity',
      unit: '×',
      target: { atLeast: 0.9 },
    },
  ],
  async measure({ quick, progress }) {
    const random = seeded(11);
    // Log-normal: median 60 ms, p99 some 190 ms, and now and then half a second.
    const firstTokenMs = (): number => {
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      return 60 * Math.exp(0.5 * normal);
    };
    const upstream = await openFaultyUpstream({ firstTokenMs, gapMs: GAP_MS });
    const gateway = await openGateway({
      settings: LanguageSettings.parse({
        providers: [
          {
            name: 'tail',
            kind: 'openai',
            baseUrl: upstream.baseUrl('openai', 'none'),
            maxConcurrent: PLACES,
          },
        ],
        models: [
          {
            name: 'm',
            routes: [{ provider: 'tail', model: 'm' }],
            ttftMs: OBJECTIVE_MS,
            hedge: false,
          },
        ],
      }),
    });
    try {
      const seconds = quick ? 3 : 15;
      await askInTurn(gateway, 'm', PLACES, (asked) => asked >= 10 * PLACES);
      const begun = performance.now();
      const alone = await askInTurn(
        gateway,
        'm',
        PLACES,
        () => performance.now() - begun > 1000 * seconds,
      );
      const capacity = (1000 * alone.length) / (performance.now() - begun);
      const outcomes = await openLoop(capacity * TIMES, seconds, random, () => ask(gateway, 'm'));
      const answered = outcomes.filter(({ code }) => code === undefined);
      const inTime = answered.filter(({ ttftMs }) => ttftMs <= OBJECTIVE_MS);
      const refused = outcomes.filter(({ code }) => code !== undefined);
      const ttftMs = quantile(
        answered.map((each) => each.ttftMs),
        0.99,
      );
      const goodput = inTime.length / seconds / capacity;
      progress(`overload: ${capacity.toFixed(0)}/s, p99 ${ttftMs.toFixed(0)} ms`);
      return {
        results: {
          [KEYS.ttft]: ttftMs / OBJECTIVE_MS,
          [KEYS.goodput]: goodput,
        },
        details: {
          overload_capacity: capacity,
          overload_sent: outcomes.length,
          overload_answered: answered.length,
          overload_refused_after_p99_ms: quantile(
            refused.map(({ totalMs }) => totalMs),
            0.99,
          ),
          overload_refused_after_p50_ms: quantile(
            refused.map(({ totalMs }) => totalMs),
            0.5,
          ),
        },
      };
    } finally {
      await gateway.close();
      await upstream.close();
    }
  },
};

/** Requests at random times (Poisson), whatever becomes of the earlier ones. */
async function openLoop(
  perSecond: number,
  seconds: number,
  random: () => number,
  send: () => Promise<Outcome>,
): Promise<Outcome[]> {
  const sent: Promise<Outcome>[] = [];
  const begun = performance.now();
  let at = 0;
  while (at < seconds * 1000) {
    const now = performance.now() - begun;
    while (at <= now && at < seconds * 1000) {
      sent.push(send());
      at += (-Math.log(1 - random()) * 1000) / perSecond;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return Promise.all(sent);
}
