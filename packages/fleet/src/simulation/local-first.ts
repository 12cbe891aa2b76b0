/** The fleet's own policy in the words of the simulator, with the functions that a node uses. */
import { newAnswerTimes } from '../hedging/answer-times.ts';
import { hedgeAfterMs, maySpend, savedAfter } from '../hedging/hedge.ts';
import { afterFailure, type Circuit, CLOSED, isAsked } from '../routing/circuit.ts';
import {
  asks,
  nextProbes,
  probeTimeoutMs,
  type Quote,
  successAfter,
  takers,
} from '../routing/route.ts';
import { CIRCUIT_MS, hedging } from '../tuning.ts';
import { attempt, type Fleet, type RoutingPolicy } from './fleet.ts';
import type { SimCopy, SimRequest } from './node.ts';

/** Where a request has been accepted, and what that node has predicted. */
type Placed = (node: number, quotedMs?: number) => void;

function localFirst(name: string, hedges: boolean): RoutingPolicy {
  return {
    name,
    make(fleet) {
      const { nodes } = fleet;
      const elsewhere = askOthers(fleet);
      if (!hedges) {
        return (request, entry) => {
          if (nodes[entry]!.admits(request)) nodes[entry]!.take(request);
          else elsewhere(request, entry, new Set([entry]), (node) => nodes[node]!.take(request));
        };
      }
      const place = hedged(fleet, elsewhere);
      return (request, entry) => {
        const placed = place(request, entry);
        const predictedMs = nodes[entry]!.predict(request.size);
        if (nodes[entry]!.admits(request)) placed(entry, predictedMs);
        else elsewhere(request, entry, new Set([entry]), placed);
      };
    },
  };
}

export const LOCAL_FIRST = localFirst('local first, else two fresh probes', false);
export const HEDGED = localFirst('the same, with hedges', true);

type AskOthers = (request: SimRequest, entry: number, asked: Set<number>, placed: Placed) => void;

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
  return (request, entry, except, placed) => {
    if (!asks(success[entry]!, random())) return;
    const asked = new Set([...except].map(String));
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
        if (arrived && nodes[to]!.admits(request)) placed(to, first.finishMs);
        else forward(others, rounds);
      });
    };
    round(0);
  };
}

/** Places a request, and a second copy of it where the first one takes long. */
function hedged(
  fleet: Fleet,
  elsewhere: AskOthers,
): (request: SimRequest, entry: number) => Placed {
  const { events, nodes } = fleet;
  const answerTimes = nodes.map(() => newAnswerTimes(hedging.answers));
  const saved = nodes.map(() => 0);
  return (request, entry) => (first, quotedMs) => {
    saved[entry] = savedAfter(saved[entry]!, hedging.share);
    const copies: { readonly node: number; readonly begunAt: number; readonly copy: SimCopy }[] =
      [];
    const take = (node: number): void => {
      const begunAt = events.now;
      // A start is told to the node of the caller, and from there to that of the other copy.
      const hops = [entry, node].filter((each) => each !== entry).length;
      const cancelOthers = (): void => {
        for (const other of copies) {
          if (other.node === node) continue;
          const way = hops + (other.node === entry ? 0 : 1);
          events.after(way * fleet.networkMs, () => {
            const waited = nodes[other.node]!.cancel(other.copy);
            if (waited && other.node === entry) {
              answerTimes[entry]!.cancelled(events.now - other.begunAt);
            }
          });
        }
      };
      const copy = nodes[node]!.take(request, {
        // Both copies are known by then.
        onStart: () => events.after(0, cancelOthers),
        onAnswer: () => {
          if (node === entry) answerTimes[entry]!.answered(events.now - begunAt);
          cancelOthers();
        },
      });
      copies.push({ node, begunAt, copy });
    };
    const observed = first === entry ? answerTimes[entry] : undefined;
    take(first);
    const afterMs = hedgeAfterMs(observed, quotedMs);
    if (afterMs === undefined || events.now + afterMs >= request.deadline) return;
    events.after(afterMs, () => {
      if (request.answered || !maySpend(saved[entry]!)) return;
      saved[entry]! -= 1;
      if (first !== entry && nodes[entry]!.admits(request)) take(entry);
      else elsewhere(request, entry, new Set([entry, first]), take);
    });
  };
}
