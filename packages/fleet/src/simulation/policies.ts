/** Ways to route a request that has reached a node, each in the words of the simulator, that the fleet's own is compared with. */
import { attempt, type Fleet, type RoutingPolicy } from './fleet.ts';
import type { SimRequest } from './node.ts';

/** Tries nodes one after another; a node that would be late refuses. */
function tryInTurn(
  fleet: Fleet,
  request: SimRequest,
  entry: number,
  nodes: readonly (() => number)[],
): void {
  const [next, ...rest] = nodes;
  if (next === undefined) return;
  const to = next();
  const again = (): void => tryInTurn(fleet, request, entry, rest);
  fleet.send(request, entry, to, attempt(fleet, request), (arrived) => {
    const node = fleet.nodes[to]!;
    if (arrived && node.admits(request)) node.take(request);
    else again();
  });
}

const any = ({ nodes, random }: Fleet): number => Math.floor(random() * nodes.length);

/** Load as each node sent it last, every so often. */
function digests(everyMs: number, choices: number): RoutingPolicy {
  return {
    name: `best of ${choices === Infinity ? 'all' : choices} by digests up to ${everyMs} ms old`,
    make(fleet) {
      const { nodes, events, random } = fleet;
      const waits = nodes.map(() => 0);
      // Each node sends at its own moment of the period.
      const moments = nodes.map(() => random() * everyMs);
      const sentAt = moments.map((moment) => moment - everyMs);
      const digestOf = (node: number): number => {
        if (events.now - sentAt[node]! < everyMs) return waits[node]!;
        sentAt[node]! += everyMs * Math.floor((events.now - sentAt[node]!) / everyMs);
        return (waits[node] = nodes[node]!.predict(0));
      };
      const choose = (): number => {
        const drawn =
          choices === Infinity
            ? nodes.map(({ id }) => id)
            : Array.from({ length: choices }, () => any(fleet));
        return drawn.reduce((best, node) => (digestOf(node) < digestOf(best) ? node : best));
      };
      return (request, entry) => tryInTurn(fleet, request, entry, [choose, () => any(fleet)]);
    },
  };
}

export const RANDOM_ONE_RETRY: RoutingPolicy = {
  name: 'random, refusal, one retry',
  make: (fleet) => (request, entry) => {
    tryInTurn(fleet, request, entry, [() => entry, () => any(fleet)]);
  },
};

/** Policies that the fleet's policy is compared with. */
export const OTHERS: readonly RoutingPolicy[] = [
  {
    name: 'random, nothing is refused',
    make:
      ({ nodes }) =>
      (request, entry) =>
        nodes[entry]!.take(request),
  },
  RANDOM_ONE_RETRY,
  {
    name: 'round robin, refusal, one retry',
    make(fleet) {
      let turn = 0;
      const next = (): number => turn++ % fleet.nodes.length;
      return (request, entry) => tryInTurn(fleet, request, entry, [next, next]);
    },
  },
  {
    name: 'two choices by queue length',
    make: (fleet) => (request, entry) => {
      const { nodes } = fleet;
      const [a, b] = [any(fleet), any(fleet)];
      const choose = (): number => (nodes[a]!.length <= nodes[b]!.length ? a : b);
      // Asking costs the way there and back.
      fleet.events.after(2 * fleet.networkMs, () =>
        tryInTurn(fleet, request, entry, [choose, () => any(fleet)]),
      );
    },
  },
  digests(20, 2),
  digests(100, 2),
  digests(1000, 2),
  digests(1000, 10),
];
