/** The other members, as this node follows them and asks them for predictions. */
import type { ErrorCode } from '@skein/api';
import type { Clock, InferenceRequest, Instant } from '@skein/serving';
import type { ErrorMeta, QuoteMeta } from '../link/messages.ts';
import type { Peer } from '../link/peer.ts';
import {
  nextProbes,
  probeTimeoutMs,
  type Quote,
  type RouteState,
  takers,
} from '../routing/route.ts';
import type { ForwardingCounters } from './counters.ts';
import { type FleetMember, type Holders, holdersAmong } from './holders.ts';

export interface OthersOptions {
  /** Live members, this node included. The same array as long as they are the same. */
  readonly members: () => readonly FleetMember[];
  /** The incarnation of this node; absent before it has joined. */
  readonly self: () => string | undefined;
  readonly open: (address: string) => Peer;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Refusals of a node that is full. */
const FULL: readonly ErrorCode[] = ['DEADLINE_UNREACHABLE', 'QUEUE_FULL', 'BODIES_TOO_LARGE'];
/** Refusals of a node that does not hold what is asked for, or has no replica of it. */
export const NOT_HERE: ReadonlySet<ErrorCode> = new Set([
  'NO_REPLICA',
  'MODEL_UNKNOWN',
  'VERSION_UNKNOWN',
]);
/** Refusals of admission: they prove that the request has not run. */
export const NOTHING_RAN: ReadonlySet<ErrorCode> = new Set([...FULL, ...NOT_HERE]);

type Refusal = Pick<ErrorMeta, 'code' | 'retryAfterMs'>;
interface NextState extends Omit<RouteState, 'leftMs'> {
  /** Whether this node holds what is asked for. Where it does not, a member that was full just now is asked, too. */
  readonly isHere: boolean;
}
type OnQuote = (member: string, quote: QuoteMeta) => void;

export interface Others {
  peer(incarnation: string): Peer | undefined;
  /** Members that hold a version, without this one. */
  holders(deployment: string, version: string | undefined): readonly string[];
  /** Members to ask next; none: no further one is worth it. */
  next(request: InferenceRequest, deadline: Instant, state: NextState): string[];
  /** @returns quotes of the members that would be in time, the earliest first. */
  probe(
    request: InferenceRequest,
    members: readonly string[],
    deadline: Instant,
    onQuote: OnQuote,
  ): Promise<Quote[]>;
  /** A member has refused a request; where it is full, the like is not sent to it for a while. */
  noteRefusal(member: string, request: InferenceRequest, deadline: Instant, error: Refusal): void;
  /** Members that do not answer at present. */
  leftOut(): number;
  close(): void;
}

export function followOthers(
  { clock, random, ...options }: OthersOptions,
  { probes }: Pick<ForwardingCounters, 'probes'>,
): Others {
  const peers = new Map<string, Peer>();
  let known: readonly FleetMember[] = [];
  let holders: Holders = holdersAmong([], undefined);

  /** A member with a new incarnation is another peer, whatever its address. */
  function follow(): void {
    const members = options.members();
    if (members === known) return;
    known = members;
    holders = holdersAmong(members, options.self());
    const live = new Set(members.map(({ incarnation }) => incarnation));
    for (const [incarnation, peer] of peers) {
      if (live.has(incarnation)) continue;
      peer.close();
      peers.delete(incarnation);
    }
    for (const { incarnation, address } of members) {
      if (!peers.has(incarnation) && incarnation !== options.self() && address !== '') {
        peers.set(incarnation, options.open(address));
      }
    }
  }

  function noteRefusal(
    member: string,
    request: InferenceRequest,
    deadline: Instant,
    { code, retryAfterMs = Infinity }: Refusal,
  ): void {
    // Where waiting does not help, the request has too little time for a run, and one with more has not.
    if (retryAfterMs === Infinity || !FULL.includes(code)) return;
    const now = clock.now();
    peers.get(member)?.refusals.note(request, now, deadline - now, retryAfterMs);
  }

  function holdersOf(deployment: string, version: string | undefined): readonly string[] {
    follow();
    return holders.of(deployment, version);
  }

  return {
    peer(incarnation) {
      follow();
      return peers.get(incarnation);
    },
    holders: holdersOf,
    noteRefusal,
    next(request, deadline, { isHere, ...state }) {
      const now = clock.now();
      const leftMs = deadline - now;
      const open = holdersOf(request.deployment, request.version).filter((incarnation) => {
        const peer = peers.get(incarnation);
        if (peer === undefined || !peer.isAsked(now) || peer.roundTripMs >= leftMs) return false;
        return !isHere || !peer.refusals.expects(request, now, leftMs);
      });
      return nextProbes({ ...state, leftMs }, open, random);
    },
    async probe(request, members, deadline, onQuote) {
      const timeoutMs = probeTimeoutMs(deadline - clock.now());
      const quotes = await Promise.all(
        members.map(async (member) => {
          const peer = peers.get(member);
          const quote = await peer?.probe(request, timeoutMs);
          if (quote !== undefined) onQuote(member, quote);
          if (quote?.refusal !== undefined) noteRefusal(member, request, deadline, quote.refusal);
          if (quote === undefined) probes.silent++;
          else if (quote.finishMs === undefined) probes.late++;
          else probes.in_time++;
          const finishMs = quote?.finishMs;
          return {
            member,
            finishMs: finishMs === undefined ? undefined : finishMs + peer!.roundTripMs,
          };
        }),
      );
      return takers(quotes, deadline - clock.now());
    },
    leftOut() {
      const now = clock.now();
      return [...peers.values()].filter((peer) => !peer.isAsked(now)).length;
    },
    close() {
      for (const peer of peers.values()) peer.close();
      peers.clear();
    },
  };
}
