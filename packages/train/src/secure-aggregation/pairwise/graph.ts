/** The graph of one round: who is a neighbour of whom, given the keys that were advertised. */
import type { AggregationContext } from '../context.ts';
import type { Bytes } from '../crypto/suite.ts';
import { graphTerms } from '../graph.ts';
import { suite } from '../crypto/platform-suite.ts';

export interface Graph {
  /** Shares that rebuild a secret. */
  readonly threshold: number;
  /** Ascending, without the site itself. */
  neighbours(site: number): readonly number[];
  /** Whether survivors are spread so that every honest one is connected to every other. */
  connects(survivors: ReadonlySet<number>): boolean;
}

/**
 * @param present sites that advertised keys, ascending.
 * @param seed that no single site decides: a digest of all keys.
 */
export async function graphOf(
  context: AggregationContext,
  present: readonly number[],
  seed: Bytes,
): Promise<Graph> {
  const { reach, threshold, perWindow } = graphTerms(context, present.length);
  if (reach === Infinity) {
    return {
      threshold,
      neighbours: (site) => present.filter((each) => each !== site),
      connects: () => true,
    };
  }
  const ring = await shuffled(present, seed);
  const places = new Map(ring.map((site, place) => [site, place]));
  const at = (place: number): number => ring[(place + ring.length) % ring.length]!;
  return {
    threshold,
    neighbours(site) {
      const place = places.get(site)!;
      const near: number[] = [];
      for (let step = 1; step <= reach; step++) near.push(at(place - step), at(place + step));
      return near.toSorted((a, b) => a - b);
    },
    connects(survivors) {
      const survives = (place: number): number => (survivors.has(at(place)) ? 1 : 0);
      let alive = 0;
      for (let place = 0; place < reach; place++) alive += survives(place);
      for (let place = 0; place < ring.length; place++) {
        if (alive < perWindow) return false;
        alive += survives(place + reach) - survives(place);
      }
      return true;
    },
  };
}

/** Sorted by 64 bits of a keystream each; equal ones, which do not happen, keep their order. */
async function shuffled(sites: readonly number[], seed: Bytes): Promise<number[]> {
  const words = new Uint32Array(2 * sites.length);
  await suite.addKeystreams(words, [seed.slice(0, 16)], 1);
  const places = new BigUint64Array(words.buffer);
  return sites
    .map((site, at) => [places[at]!, site] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))
    .map(([, site]) => site);
}
