/**
 * Ways to route a request that has reached a node, each in the words of the simulator: the fleet's
 * own, and those that it is compared with.
 */
import { afterFailure, type Circuit, CLOSED, isAsked } from '../routing/circuit.ts';
import {
  asks,
  nextProbes,
  probeTimeoutMs,
  type Quote,
  successAfter,
  takers,
} from '../routing/route.ts';
import type { Fleet } from './fleet.ts';
import type { SimRequest } from './node.ts';

export interface RoutingPolicy {
  readonly name: string;
  /** Made for one run. */
  readonly make: (fleet: Fleet) => (request: SimRequest, entry: number) => void;
}

/** A caller that gets no answer from a node tries the next one after so long, in every policy. */
const attempt = (fleet: Fleet, request: SimRequest): number =>
  probeTimeoutMs(request.deadline - fleet.events.now);

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

/** The fleet's policy, with the functions that a node uses. */
export const LOCAL_FIRST: RoutingPolicy = {
  name: 'local first, else two fresh probes',
  make(fleet) {
    const { random, events, nodes } = fleet;
    const members = nodes.map(({ id }) => String(id));
    const success = nodes.map(() => 1);
    const circuits = nodes.map(() => new Map<string, Circuit>());
    const holdersOf = (entry: number): string[] => {
      const broken = circuits[entry]!;
      if (broken.size === 0) return members;
      return members.filter((id) => isAsked(broken.get(id) ?? CLOSED, events.now));
    };
    return (request, entry) => {
      if (nodes[entry]!.admits(request)) {
        nodes[entry]!.take(request);
        return;
      }
      if (!asks(success[entry]!, random())) return;
      const asked = new Set([String(entry)]);
      const round = (rounds: number): void => {
        const leftMs = request.deadline - events.now;
        const pick = nextProbes({ asked, rounds, leftMs }, holdersOf(entry), random);
        if (pick.length === 0) return;
        const quotes: Quote[] = [];
        const decide = (): void => {
          const ranked = takers(quotes, request.deadline - events.now);
          success[entry] = successAfter(success[entry]!, ranked.length > 0);
          forward(ranked, rounds + 1);
        };
        let open = pick.length;
        for (const member of pick) {
          asked.add(member);
          fleet.probe(request, entry, Number(member), probeTimeoutMs(leftMs), (finishMs) => {
            const broken = circuits[entry]!;
            if (finishMs === undefined) {
              const before = broken.get(member) ?? CLOSED;
              broken.set(member, afterFailure(before, events.now, random()));
            } else {
              broken.delete(member);
              quotes.push({ member, finishMs: finishMs <= leftMs ? finishMs : undefined });
            }
            if (--open === 0) decide();
          });
        }
      };
      const forward = ([member, ...others]: readonly string[], rounds: number): void => {
        if (member === undefined) {
          round(rounds);
          return;
        }
        const to = Number(member);
        fleet.send(request, entry, to, attempt(fleet, request), (arrived) => {
          if (arrived && nodes[to]!.admits(request)) nodes[to]!.take(request);
          else forward(others, rounds);
        });
      };
      round(0);
    };
  },
};

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

/** Those that the fleet's policy is compared with. */
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
