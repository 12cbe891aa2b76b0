/**
 * Answers requests with the help of the other members: local first; what the node refuses goes to a
 * member that would be in time. The choices are in `routing/route.ts`; this is the loop around them.
 *
 *   local ─▶ answer
 *     └ refusal ─▶ two probes ─▶ forward ─▶ answer
 *                    ▲              ├ refused: nothing ran, the next taker or the next round
 *                    └──────────────┴ lost: run again if that does no harm, else PEER_LOST
 */
import { type ErrorCode, SkeinError } from '@skein/api';
import type { Clock, Inference, InferenceAnswer, InferenceRequest, Instant } from '@skein/serving';
import type { Peer } from '../link/peer.ts';
import type { LocalNode } from '../link/serve-peers.ts';
import { asks, nextProbes, probeTimeoutMs, successAfter, takers } from '../routing/route.ts';
import { type ForwardingCounters, newCounters } from './counters.ts';
import { type FleetMember, type Holders, holdersAmong } from './holders.ts';

export interface ForwardingOptions {
  readonly local: Inference & Pick<LocalNode, 'predict'>;
  /** Live members, this node included. The same array as long as they are the same. */
  readonly members: () => readonly FleetMember[];
  /** The incarnation of this node; absent before it has joined. */
  readonly self: () => string | undefined;
  readonly open: (address: string) => Peer;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface Forwarding {
  readonly inference: Inference;
  readonly counters: ForwardingCounters;
  /** A live member; undefined: it has left, or cannot be called. */
  peer(incarnation: string): Peer | undefined;
  /** Members that hold a deployment, without this one. */
  holders(deployment: string): readonly string[];
  /** Members that do not answer at present. */
  leftOut(): number;
  close(): void;
}

/** Refusals of a node that is full. */
const FULL: readonly ErrorCode[] = ['DEADLINE_UNREACHABLE', 'QUEUE_FULL', 'BODIES_TOO_LARGE'];
/** Refusals of a node that does not hold what is asked for, or has no replica of it. */
const NOT_HERE: ReadonlySet<ErrorCode> = new Set([
  'NO_REPLICA',
  'MODEL_UNKNOWN',
  'VERSION_UNKNOWN',
]);
/** Refusals of admission: they prove that the request has not run. */
const NOTHING_RAN: ReadonlySet<ErrorCode> = new Set([...FULL, ...NOT_HERE]);

export function forwardRefused(options: ForwardingOptions): Forwarding {
  const { local, clock, random } = options;
  const counters = newCounters();
  const peers = new Map<string, Peer>();
  /** By deployment: the recent share of rounds with a taker. */
  const success = new Map<string, number>();
  let known: readonly FleetMember[] = [];
  let holders: Holders = holdersAmong([], undefined);

  /** Follows the members; a member with a new incarnation is another peer, whatever its address. */
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

  function note(deployment: string, found: boolean): void {
    success.set(deployment, successAfter(success.get(deployment) ?? 1, found));
  }

  async function elsewhere(request: InferenceRequest, refusal: unknown): Promise<InferenceAnswer> {
    if (!(refusal instanceof SkeinError) || !NOTHING_RAN.has(refusal.code)) throw refusal;
    follow();
    const { deployment, version } = request;
    if (holders.of(deployment, version).length === 0) {
      counters.refused.no_holder++;
      throw refusal;
    }
    // What is not here is answered by the others or not at all.
    const isHere = !NOT_HERE.has(refusal.code);
    if (isHere && !asks(success.get(deployment) ?? 1, random())) {
      counters.refused.fleet_full++;
      throw refusal;
    }
    const deadline =
      request.deadline ?? request.arrivedAt + local.describe(deployment, version).objectiveMs;
    const asked = new Set<string>();
    let retryAfterMs = refusal.retryAfterMs ?? Infinity;
    const heard = (error: { readonly retryAfterMs?: number | undefined } | undefined): void => {
      retryAfterMs = Math.min(retryAfterMs, error?.retryAfterMs ?? Infinity);
    };

    for (let rounds = 0; ; rounds++) {
      const now = clock.now();
      const leftMs = deadline - now;
      const open = holders.of(deployment, version).filter((incarnation) => {
        const peer = peers.get(incarnation);
        return peer !== undefined && peer.isAsked(now) && peer.roundTripMs < leftMs;
      });
      const picked = nextProbes({ asked, rounds, leftMs }, open, random);
      if (picked.length === 0) break;
      for (const incarnation of picked) asked.add(incarnation);
      // A single candidate is sent the request at once: its refusal says what a probe would.
      const ranked = picked.length === 1 ? picked : await probe(request, picked, deadline, heard);
      for (const incarnation of ranked) {
        const outcome = await peers.get(incarnation)?.forward(request, deadline);
        if (outcome === undefined) continue;
        if ('answer' in outcome) {
          note(deployment, true);
          counters.forwards.answered++;
          return outcome.answer;
        }
        if ('error' in outcome) {
          if (!ranNothing(outcome.error, request)) {
            counters.forwards.failed++;
            throw outcome.error;
          }
          counters.forwards.refused++;
          heard(outcome.error);
          continue;
        }
        counters.forwards.lost++;
        if (!outcome.sent) continue;
        if (!mayRepeat(request)) throw lost(request);
        counters.repeated++;
        const { finishMs } = local.predict(request);
        if (finishMs !== undefined) return local.infer(request);
      }
      note(deployment, false);
    }
    counters.refused.no_taker++;
    const others = `${asked.size} other ${asked.size === 1 ? 'member' : 'members'}`;
    const message =
      asked.size === 0 ? refusal.message : `${refusal.message} So would it be on ${others}.`;
    throw new SkeinError(refusal.code, message, { retryAfterMs, cause: refusal });
  }

  /** @returns the members that would be in time, the earliest first. */
  async function probe(
    request: InferenceRequest,
    picked: readonly string[],
    deadline: Instant,
    heard: (error: { readonly retryAfterMs?: number | undefined } | undefined) => void,
  ): Promise<string[]> {
    const timeoutMs = probeTimeoutMs(deadline - clock.now());
    const quotes = await Promise.all(
      picked.map(async (member) => {
        const peer = peers.get(member);
        const quote = await peer?.probe(request, timeoutMs);
        heard(quote?.refusal);
        if (quote === undefined) counters.probes.silent++;
        else if (quote.finishMs === undefined) counters.probes.late++;
        else counters.probes.in_time++;
        const linkMs = peer?.roundTripMs ?? 0;
        return { member, finishMs: quote?.finishMs && quote.finishMs + linkMs };
      }),
    );
    return takers(quotes, deadline - clock.now());
  }

  /** A draining member may have run a part of a composition. */
  function ranNothing({ code }: SkeinError, request: InferenceRequest): boolean {
    return NOTHING_RAN.has(code) || (code === 'NODE_DRAINING' && mayRepeat(request));
  }

  /** Whether running a request twice does no harm: a model has no state, a composition may have effects. */
  function mayRepeat({ deployment, version }: InferenceRequest): boolean {
    const { kind, settings } = local.describe(deployment, version);
    return kind === 'onnx' || settings.idempotent;
  }

  function lost({ id, deployment }: InferenceRequest): SkeinError {
    counters.refused.lost++;
    const message = `The member that ran request ${id} was lost, and "${deployment}" is not declared idempotent.`;
    return new SkeinError('PEER_LOST', message);
  }

  return {
    counters,
    inference: {
      infer: (request) =>
        local.infer(request).then(undefined, (error: unknown) => elsewhere(request, error)),
      describe: (deployment, version) => local.describe(deployment, version),
      list: () => local.list(),
      isReady: (deployment, version) => local.isReady(deployment, version),
    },
    peer(incarnation) {
      follow();
      return peers.get(incarnation);
    },
    holders(deployment) {
      follow();
      return holders.of(deployment, undefined);
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
