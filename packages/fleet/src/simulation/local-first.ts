/** The fleet's own policy in the words of the simulator, with the functions that a node uses. */
import { afterFailure, type Circuit, CLOSED, isAsked } from '../routing/circuit.ts';
import {
  asks,
  nextProbes,
  probeTimeoutMs,
  type Quote,
  successAfter,
  takers,
} from '../routing/route.ts';
import { CIRCUIT_MS } from '../tuning.ts';
import { attempt, type Fleet, type RoutingPolicy } from './fleet.ts';
import type { SimRequest } from './node.ts';

export const LOCAL_FIRST: RoutingPolicy = {
  name: 'local first, else two fresh probes',
  make(fleet) {
    const { nodes } = fleet;
    const elsewhere = askOthers(fleet);
    return (request, entry) => {
      if (nodes[entry]!.admits(request)) nodes[entry]!.take(request);
      else elsewhere(request, entry);
    };
  },
};

type AskOthers = (request: SimRequest, entry: number) => void;

function askOthers(fleet: Fleet): AskOthers {
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
        const timeoutMs = probeTimeoutMs(leftMs);
        fleet.probe(request, entry, Number(member), timeoutMs, (finishMs) => {
          const broken = circuits[entry]!;
          if (finishMs === undefined) {
            events.after(Math.max(0, CIRCUIT_MS.silence - timeoutMs), () => {
              const before = broken.get(member) ?? CLOSED;
              broken.set(member, afterFailure(before, events.now, random()));
            });
          } else {
            broken.delete(member);
            quotes.push({ member, finishMs: finishMs <= leftMs ? finishMs : undefined });
          }
          if (--open === 0) decide();
        });
      }
    };
    const forward = ([first, ...others]: readonly Quote[], rounds: number): void => {
      if (first === undefined) {
        round(rounds);
        return;
      }
      const to = Number(first.member);
      fleet.send(request, entry, to, attempt(fleet, request), (arrived) => {
        if (arrived && nodes[to]!.admits(request)) nodes[to]!.take(request);
        else forward(others, rounds);
      });
    };
    round(0);
  };
}
