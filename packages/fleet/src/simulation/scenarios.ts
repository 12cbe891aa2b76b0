/** Scenarios of a simulated fleet: its nodes, its requests and its network, by seed. */
import { seededRandom } from './random.ts';
import type { Time } from './events.ts';

export interface Scenario {
  readonly name: string;
  /** Requests per millisecond, as a share of what all nodes can run together. */
  readonly load: (now: Time) => number;
  /** How much slower than at full speed a node is. */
  readonly slowness: (node: number, now: Time) => number;
  /** Whether a message between two nodes arrives. */
  readonly reaches?: (from: number, to: number, now: Time) => boolean;
  /** The node that a request reaches first: a balancer's choice, by a number in [0, 1). Default: any. */
  readonly entry?: (nodes: number, random: number) => number;
}

/** Every fifth node has half the speed. */
const SLOW_EVERY = 5;
const isSlow = (node: number): boolean => node % SLOW_EVERY === SLOW_EVERY - 1;
const halfSpeed = (node: number): number => (isSlow(node) ? 2 : 1);

/** Full-speed nodes that the fleet is worth. */
export function capacityOf({ slowness }: Scenario, nodes: number): number {
  let capacity = 0;
  for (let node = 0; node < nodes; node++) capacity += 1 / slowness(node, -1);
  return capacity;
}

/** Half a second in which another program takes two thirds of a node, at a random time, for every node in ten. */
const ANTAGONIST = { everyMs: 5000, lengthMs: 500, slowness: 3 };

function antagonist(node: number, now: Time): number {
  if (now < 0) return 1;
  const window = Math.floor(now / ANTAGONIST.everyMs);
  const random = seededRandom(node * 7919 + window);
  const begins = random() * (ANTAGONIST.everyMs - ANTAGONIST.lengthMs);
  const at = now - window * ANTAGONIST.everyMs;
  return at >= begins && at < begins + ANTAGONIST.lengthMs ? ANTAGONIST.slowness : 1;
}

/** The first scenario is the one that the benchmark measures. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'a fifth at half speed', load: () => 0.8, slowness: halfSpeed },
  { name: 'the same, load 0.95', load: () => 0.95, slowness: halfSpeed },
  { name: 'antagonists', load: () => 0.7, slowness: antagonist },
  {
    name: 'partition',
    load: () => 0.7,
    slowness: halfSpeed,
    reaches: (from, to, now) => now < 2000 || now >= 3000 || from % 2 === to % 2,
  },
  {
    name: 'flash crowd',
    load: (now) => (now >= 2000 && now < 2500 ? 1.5 : 0.6),
    slowness: halfSpeed,
  },
  {
    name: 'uneven balancer',
    load: () => 0.7,
    slowness: halfSpeed,
    // Half of the requests reach a tenth of the nodes.
    entry: (nodes, random) =>
      random < 0.5 ? Math.floor((random * 2 * nodes) / 10) : Math.floor((random - 0.5) * 2 * nodes),
  },
  { name: 'overload, load 3', load: () => 3, slowness: halfSpeed },
];
