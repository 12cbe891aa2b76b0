/** The unmasked sum is the plain sum, to the bit, whatever sites drop out, and no sum below the threshold. */
import type { SkeinError } from '@skein/api/errors';
import { expect, it } from 'vitest';
import { quorum } from '../graph.ts';
import {
  federation,
  runRound,
  runUntil,
  stage,
  sumOf,
  type Federation,
} from '../testing/rounds.ts';
import { EXCHANGES, type Exchange } from '../wire/envelope.ts';

type Pattern = ReadonlyMap<number, Exchange>;

/** Every choice of sites that drop out, at most so many, each before any of the exchanges. */
function* patterns(sites: number, most: number, from = 0): Generator<Pattern> {
  yield new Map();
  if (most === 0) return;
  for (let site = from; site < sites; site++) {
    for (const exchange of EXCHANGES) {
      for (const others of patterns(sites, most - 1, site + 1)) {
        yield new Map([[site, exchange], ...others]);
      }
    }
  }
}

/** How a round ends: its sum and what the sum must be, or the code of its refusal. */
async function endOf(parts: Federation, drops: Pattern) {
  const late = new Set<Exchange>(['consistency', 'unmasking']);
  const expected = [...parts.context.roster.keys()].filter((site) =>
    late.has(drops.get(site) ?? 'unmasking'),
  );
  try {
    const { sum, expected: plain, survivors, liars } = await runRound(parts, drops);
    return [
      { sum, survivors, liars },
      { sum: plain, survivors: expected, liars: [] },
    ];
  } catch (error) {
    return [(error as SkeinError).code];
  }
}

it.each([2, 3, 4, 5, 6])('for every pattern that %i sites survive', async (sites) => {
  const parts = await federation(sites, { bits: 7 + 5 * (sites - 1), length: 33 * sites });
  for (const drops of patterns(sites, sites - quorum(sites))) {
    const [found, expected] = await endOf(parts, drops);
    expect(found).toEqual(expected);
  }
});

it('never with one site fewer than the threshold', async () => {
  const parts = await federation(4, { length: 1 });
  const all = [...patterns(4, process.env['SKEIN_FULL'] === '1' ? 4 : 2)];
  const below = all.filter(({ size }) => 4 - size < quorum(4));
  expect(below.length).toBeGreaterThanOrEqual(150);
  // Every third is every pair of exchanges, at some pair of sites.
  const tried = process.env['SKEIN_FULL'] === '1' ? below : below.filter((_, at) => at % 3 === 0);
  for (const drops of tried) expect(await endOf(parts, drops)).toEqual(['AGGREGATION_TOO_FEW']);
});

it.each([
  ['a complete graph', 7, {}, EXCHANGES],
  ['a complete graph', 13, { length: 2 ** 16 + 7, bits: 32 }, EXCHANGES],
  // On a ring a site that is gone after its keys ends the round of its neighbours: see hostile.test.ts.
  ['a ring', 80, { corrupt: 0, length: 40 }, EXCHANGES.filter((each) => each !== 'shares')],
] as const)('for random patterns in %s of %i sites', async (_, sites, terms, exchanges) => {
  const parts = await federation(sites, terms);
  for (let trial = 0; trial < 2; trial++) {
    // Seldom enough for a ring to stay connected.
    const most = Math.min(sites - quorum(sites), 6);
    const drops: Pattern = new Map(
      Array.from({ length: most }, () => [
        Math.floor(Math.random() * sites),
        exchanges[Math.floor(Math.random() * exchanges.length)]!,
      ]),
    );
    const [found, expected] = await endOf(parts, drops);
    expect(found, JSON.stringify([...drops])).toEqual(expected);
  }
});

it('delivers the same shares to a site each time it is asked, also when the round has gone on', async () => {
  const at = await stage(await federation(9, { length: 40 }));
  await runUntil(at, 'input', new Map([[7, 'shares']]));
  const { answers } = at;
  const first = at.sites.map(({ site }) => answers.get(site));
  expect(first[7]).toBeUndefined();
  // Made again, and not kept.
  expect(answers.get(0)).not.toBe(first[0]);
  const again = () => at.sites.map(({ site }) => answers.get(site));
  await runUntil(at, 'consistency', new Map([[7, 'shares']]));
  expect(again()).toEqual(first);
  await runUntil(at, 'sum', new Map([[7, 'shares']]));
  await sumOf(at);
  expect(again()).toEqual(first);
});
