/**
 * In which order the routes of a model are tried. Pure: the estimates and the random number are
 * given.
 */
import { createHash } from 'node:crypto';
import type { LanguageModel } from '@skein/api';

export interface RouteEstimate {
  /** Index of the route in the model's list. */
  readonly index: number;
  readonly weight: number;
  readonly quality: number;
  /** Worst case of this request, in nano-dollars. */
  readonly cost: number;
  /** Predicted time to the first token, in milliseconds. */
  readonly ttftMs: number;
}

/**
 * @param routes those that may be asked. @param stickyKey chooses by weight as the random number
 *   does, the same for each request of the key while the routes are the same.
 * @param random in [0, 1).
 */
export function orderRoutes<R extends RouteEstimate>(
  policy: LanguageModel['policy'],
  routes: readonly R[],
  stickyKey: string | undefined,
  random: () => number,
): R[] {
  switch (policy) {
    case 'order':
      return [...routes];
    case 'cost':
      return routes.toSorted((a, b) => a.cost - b.cost || a.index - b.index);
    case 'quality':
      return routes.toSorted(
        (a, b) => b.quality - a.quality || a.cost - b.cost || a.index - b.index,
      );
    case 'ttft':
      return routes.toSorted((a, b) => a.ttftMs - b.ttftMs || a.index - b.index);
    case 'weighted':
      return byWeight(routes, stickyKey, random);
  }
}

/**
 * A random order in which each route is first with the probability of its weight (Efraimidis &
 * Spirakis 2006: the largest u^(1/w)). With the hash of a sticky key for u it is weighted rendezvous
 * hashing, so that a route which goes away moves no other key.
 */
function byWeight<R extends RouteEstimate>(
  routes: readonly R[],
  stickyKey: string | undefined,
  random: () => number,
): R[] {
  return routes
    .map((route) => {
      const u = stickyKey === undefined ? random() : hashed(`${stickyKey}\0${route.index}`);
      return { route, rank: route.weight === 0 ? -1 : Math.max(u, 1e-300) ** (1 / route.weight) };
    })
    .toSorted((a, b) => b.rank - a.rank)
    .map(({ route }) => route);
}

/** In [0, 1). */
function hashed(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}
