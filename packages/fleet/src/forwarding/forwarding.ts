/**
 * Answers requests with the help of the other members: local first; what the node refuses goes to a
 * member that would be in time. The choices are in `routing/route.ts`; this is the loop around them.
 *
 *   local ─▶ answer
 *     └ refusal ─▶ two probes ─▶ forward ─▶ answer
 *                    ▲              ├ refused: nothing ran, the next taker or the next round
 *                    └──────────────┴ lost: run again if that does no harm, else PEER_LOST
 */
import { SkeinError } from '@skein/api';
import type { Inference, InferenceAnswer, InferenceRequest, Instant } from '@skein/serving';
import type { Outcome, Peer } from '../link/peer.ts';
import type { LocalNode } from '../link/serve-peers.ts';
import { asks, type Quote, successAfter } from '../routing/route.ts';
import { type ForwardingCounters, newCounters } from './counters.ts';
import { followOthers, NOT_HERE, NOTHING_RAN, type OthersOptions } from './others.ts';

export interface ForwardingOptions extends OthersOptions {
  readonly local: Inference & Pick<LocalNode, 'predict'>;
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

/** A request for which a member is searched. */
interface Search {
  readonly request: InferenceRequest;
  readonly deadline: Instant;
  /** Members that have been asked for it. */
  readonly asked: Set<string>;
  /** Whether this node holds what is asked for. */
  readonly isHere: boolean;
  /** The earliest time at which a member that refused would take it, in milliseconds. */
  retryAfterMs: number;
  /** A member without a replica, which a request starts. */
  cold: string | undefined;
}

export function forwardRefused(options: ForwardingOptions): Forwarding {
  const { local, random } = options;
  const counters = newCounters();
  const others = followOthers(options, counters);
  /** By deployment: the recent share of rounds with a taker. */
  const success = new Map<string, number>();
  function note(deployment: string, found: boolean): void {
    success.set(deployment, successAfter(success.get(deployment) ?? 1, found));
  }
  const mayAsk = (deployment: string): boolean => asks(success.get(deployment) ?? 1, random());

  async function elsewhere(request: InferenceRequest, refusal: unknown): Promise<InferenceAnswer> {
    if (!(refusal instanceof SkeinError) || !NOTHING_RAN.has(refusal.code)) throw refusal;
    const { deployment, version } = request;
    if (others.holders(deployment, version).length === 0) {
      counters.refused.no_holder++;
      throw refusal;
    }
    // A request for a deployment that is not here is answered by other members or not at all.
    if (!NOT_HERE.has(refusal.code) && !mayAsk(deployment)) {
      counters.refused.fleet_full++;
      throw refusal;
    }
    const search: Search = {
      request,
      deadline: deadlineOf(request),
      asked: new Set(),
      isHere: !NOT_HERE.has(refusal.code),
      retryAfterMs: refusal.retryAfterMs ?? Infinity,
      cold: undefined,
    };
    const answer = (await find(search)) ?? (await wake(search));
    if (answer !== undefined) return answer;
    const { size } = search.asked;
    counters.refused[size === 0 ? 'fleet_full' : 'no_taker']++;
    const message =
      size === 0
        ? refusal.message
        : `${refusal.message} So would it be on ${size} other ${size === 1 ? 'member' : 'members'}.`;
    const { retryAfterMs } = search;
    throw new SkeinError(refusal.code, message, { retryAfterMs });
  }

  /** @returns undefined: no member takes it. @throws SkeinError as the member does. */
  async function find(search: Search): Promise<InferenceAnswer | undefined> {
    const { request, deadline, asked, isHere } = search;
    for (let rounds = 0; ; rounds++) {
      const picked = others.next(request, deadline, { asked, rounds, isHere });
      if (picked.length === 0) return undefined;
      for (const incarnation of picked) asked.add(incarnation);
      // A single candidate is sent the request at once: its refusal has the same content as a probe's.
      const ranked: readonly Quote[] =
        picked.length === 1
          ? [{ member: picked[0]!, finishMs: undefined }]
          : await others.probe(request, picked, deadline, (member, { refusal, wakes }) => {
              noteWait(search, refusal);
              if (wakes === true) search.cold = member;
            });
      for (const quote of ranked) {
        const outcome = await send(search, quote);
        const answer = outcome && (await settle(search, quote.member, outcome));
        if (answer !== undefined) return answer;
      }
      note(request.deployment, false);
    }
  }

  /** Counts the outcome of a copy that a member was sent, where it is no answer. */
  function countUnanswered(
    request: InferenceRequest,
    deadline: Instant,
    member: string,
    outcome: Outcome,
  ): void {
    if ('lost' in outcome) counters.forwards.lost++;
    else if ('error' in outcome) {
      const { error } = outcome;
      if (ranNothing(error, request)) {
        counters.forwards.refused++;
        others.noteRefusal(member, request, deadline, error);
      } else if (error.code !== 'CANCELLED') counters.forwards.failed++;
    }
  }

  /** @returns undefined: the member has not run it. @throws SkeinError as the member does; PEER_LOST. */
  async function settle(
    search: Search,
    member: string,
    outcome: Outcome,
  ): Promise<InferenceAnswer | undefined> {
    const { request, deadline } = search;
    if ('answer' in outcome) {
      note(request.deployment, true);
      counters.forwards.answered++;
      return outcome.answer;
    }
    countUnanswered(request, deadline, member, outcome);
    if ('error' in outcome) {
      if (!ranNothing(outcome.error, request)) throw outcome.error;
      noteWait(search, outcome.error);
      return undefined;
    }
    if (!outcome.sent) return undefined;
    if (!mayRepeat(request)) throw lost(request);
    counters.repeated++;
    const { finishMs } = local.predict(request);
    return finishMs === undefined ? undefined : local.infer(request);
  }

  async function send(
    { request, deadline }: Search,
    { member }: Quote,
  ): Promise<Outcome | undefined> {
    return others.peer(member)?.forward(request, deadline);
  }

  /** No member would be in time, and one has no replica: the refused request starts it for those that follow. */
  async function wake(search: Search): Promise<InferenceAnswer | undefined> {
    const { request, deadline, cold } = search;
    if (cold === undefined) return undefined;
    const outcome = await others.peer(cold)?.forward(request, deadline);
    return outcome && settle(search, cold, outcome);
  }

  function noteWait(
    search: Search,
    refusal: { readonly retryAfterMs?: number | undefined } | undefined,
  ): void {
    search.retryAfterMs = Math.min(search.retryAfterMs, refusal?.retryAfterMs ?? Infinity);
  }

  function deadlineOf({ deadline, arrivedAt, deployment, version }: InferenceRequest): Instant {
    return deadline ?? arrivedAt + local.describe(deployment, version).objectiveMs;
  }

  /** A draining member may have run a part of a composition. */
  function ranNothing({ code }: SkeinError, request: InferenceRequest): boolean {
    return NOTHING_RAN.has(code) || (code === 'NODE_DRAINING' && mayRepeat(request));
  }

  /** Whether running a request twice does no harm: a model has no state, a composition may have effects. */
  function mayRepeat({ deployment, version }: InferenceRequest): boolean {
    try {
      const { kind, settings } = local.describe(deployment, version);
      return kind === 'onnx' || settings.idempotent;
    } catch {
      // Other members hold it, and this one has not received it yet.
      return false;
    }
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
    peer: (incarnation) => others.peer(incarnation),
    holders: (deployment) => others.holders(deployment, undefined),
    leftOut: () => others.leftOut(),
    close: () => others.close(),
  };
}
