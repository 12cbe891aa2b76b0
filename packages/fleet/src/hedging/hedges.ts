/**
 * Sends requests that take long to a second member, too. The choices are in `hedge.ts`, and what ties the
 * two copies is in `tied.ts`; this is the loop around them.
 *
 *   this node or a member has accepted ─▶ late ─▶ two probes ─▶ second copy ─▶ the first answer of both
 */
import {
  Cancellation,
  type Clock,
  type Inference,
  type InferenceAnswer,
  type InferenceRequest,
  type Instant,
} from '@skein/serving';
import type { ForwardingCounters } from '../forwarding/counters.ts';
import type { Outcome, Peer } from '../link/peer.ts';
import type { LocalNode } from '../link/serve-peers.ts';
import { hedging } from '../tuning.ts';
import { type AnswerTimes, newAnswerTimes } from './answer-times.ts';
import { hedgeAfterMs, maySpend, savedAfter } from './hedge.ts';
import { type Copy, firstAnswerOf, type TiedOutcome } from './tied.ts';
import { Waiting, WaitingList } from './waiting.ts';

export interface HedgesOptions {
  /** Share of the requests that may be sent twice. */
  readonly share: number;
  readonly local: Pick<Inference, 'infer'> & Pick<LocalNode, 'predict'>;
  readonly clock: Clock;
  readonly counters: Pick<ForwardingCounters, 'forwards' | 'hedges' | 'duplicates'>;
  /** Whether running a request twice does no harm. */
  readonly mayRepeat: (request: InferenceRequest) => boolean;
  readonly deadlineOf: (request: InferenceRequest) => Instant;
  /** Whether other members hold what is asked for. */
  readonly isHeldElsewhere: (request: InferenceRequest) => boolean;
  /**
   * Sends a second copy to another member that would be in time.
   * @param first the member that has the first one; undefined: this one.
   * @returns undefined: none takes it. @throws SkeinError as the member does.
   */
  readonly second: (
    request: InferenceRequest,
    deadline: Instant,
    first: string | undefined,
  ) => Promise<InferenceAnswer | undefined>;
  /** Counts a first copy that its member has not answered, of a request whose outcome is that of the second one. */
  readonly onUnanswered: (
    request: InferenceRequest,
    deadline: Instant,
    member: string,
    outcome: Outcome,
  ) => void;
}

/** What became of a request that a member was sent; `isCounted`: with its second copy, as that one's outcome. */
export type HedgedOutcome = Outcome & { readonly isCounted?: true };

export interface Hedges {
  /** As `infer` of this node. */
  here(request: InferenceRequest): Promise<InferenceAnswer>;
  /** As `forward` of the peer, or the answer of another copy. @param quotedMs what it has predicted. */
  there(
    member: string,
    peer: Peer,
    request: InferenceRequest,
    deadline: Instant,
    quotedMs: number | undefined,
  ): Promise<HedgedOutcome>;
  close(): void;
}

/** What is known of a deployment. */
interface Known {
  /** Hedges that are saved up. */
  saved: number;
  /** Of this node, and of other members. */
  readonly ownTimes: AnswerTimes;
  readonly times: WeakMap<Peer, AnswerTimes>;
  readonly waiting: WaitingList;
}

const NO_ANSWER = new Error('This copy is not answered.');

export function createHedges(options: HedgesOptions): Hedges {
  const { share, local, clock, counters, mayRepeat, deadlineOf, isHeldElsewhere } = options;
  const knownDeployments = new Map<string, Known>();

  function knownOf(deployment: string): Known {
    let found = knownDeployments.get(deployment);
    if (found === undefined) {
      const known: Known = {
        saved: 0,
        ownTimes: newAnswerTimes(hedging.answers),
        times: new WeakMap(),
        waiting: new WaitingList({
          now: () => clock.now(),
          afterMs: () => hedgeAfterMs(known.ownTimes, undefined),
          onLate: (late) => hedgeWhenDue(late, known),
        }),
      };
      knownDeployments.set(deployment, (found = known));
    }
    return found;
  }

  /** Whether a late request is sent a second time, which spends one of the saved hedges. */
  function spends(known: Known, request: InferenceRequest, deadline: Instant): boolean {
    if (!maySpend(known.saved) || clock.now() >= deadline || !mayRepeat(request)) return false;
    known.saved -= 1;
    return true;
  }

  async function tie(
    first: Copy,
    request: InferenceRequest & { readonly cancellation: Cancellation },
    deadline: Instant,
    member: string | undefined,
  ): Promise<TiedOutcome> {
    let hasTaker = true;
    // On this node where the first copy is on another, if it would be in time here.
    const isHere = member !== undefined && local.predict(request).finishMs !== undefined;
    const sent = isHere ? local.infer(request) : options.second(request, deadline, member);
    const answer = sent.then((found) => {
      if (found !== undefined) return found;
      hasTaker = false;
      throw NO_ANSWER;
    });
    const { cancellation } = request;
    const second = { progress: cancellation, end: () => cancellation.cancel(), answer };
    const outcome = await firstAnswerOf(first, second);
    counters.hedges[hasTaker ? outcome.by : 'no_taker']++;
    if (outcome.by === 'second' && !isHere) counters.forwards.answered++;
    if (outcome.bothRan) counters.duplicates++;
    return outcome;
  }

  /** Where this node has predicted a later answer than usual, that is waited for too. */
  function hedgeWhenDue(waiting: Waiting, known: Known): void {
    const leftMs = (waiting.request.cancellation?.expectedAt ?? 0) - clock.now();
    const hedge = (): void => {
      // What fails here must not fail the copy on this node.
      if (!waiting.isOver) hedgeOwn(waiting, known).catch(() => waiting.resolve(waiting.own));
    };
    if (leftMs <= 0) hedge();
    else setTimeout(hedge, leftMs).unref();
  }

  async function hedgeOwn(waiting: Waiting, known: Known): Promise<void> {
    const { request, own } = waiting;
    const { cancellation: progress } = request;
    const deadline = deadlineOf(request);
    if (progress === undefined || !spends(known, request, deadline)) return;
    waiting.isHedged = true;
    const cancellation = new Cancellation();
    // The copy on this node listens to the caller itself; it must end alone.
    const end = progress.onCancel;
    progress.onCancel = () => {
      end?.();
      cancellation.cancel();
    };
    void own.catch(() => (progress.onCancel = () => cancellation.cancel()));
    const first = {
      progress,
      end() {
        if (!waiting.isOver && !waiting.isCut) {
          waiting.isCut = true;
          known.ownTimes.cancelled(clock.now() - waiting.sentAt);
        }
        end?.();
      },
      answer: own,
    };
    const outcome = await tie(first, { ...request, cancellation }, deadline, undefined);
    if (outcome.by !== 'neither') waiting.resolve(outcome.answer);
    // Its place in the queue went to a copy that failed.
    else if (outcome.wasEnded && !progress.cancelled) waiting.resolve(local.infer(request));
    else waiting.resolve(own);
  }

  return {
    here(request) {
      if (!isHeldElsewhere(request)) return local.infer(request);
      const known = knownOf(request.deployment);
      known.saved = savedAfter(known.saved, share);
      const own = local.infer(request);
      if (request.cancellation === undefined) return own;
      const waiting = new Waiting(request, clock.now(), own);
      known.waiting.add(waiting);
      const end = (outcome: InferenceAnswer | Promise<InferenceAnswer>): void => {
        waiting.isOver = true;
        known.waiting.remove(waiting);
        if (!waiting.isHedged) waiting.resolve(outcome);
      };
      own.then(
        (answer) => {
          if (!waiting.isCut) known.ownTimes.answered(clock.now() - waiting.sentAt);
          end(answer);
        },
        () => end(own),
      );
      return waiting.answer;
    },

    async there(member, peer, request, deadline, quotedMs) {
      const known = knownOf(request.deployment);
      const sentAt = clock.now();
      const [first, second] = [new Cancellation(), new Cancellation()];
      const caller = request.cancellation;
      if (caller?.cancelled === true) first.cancel();
      else if (caller !== undefined) {
        caller.onCancel = () => {
          first.cancel();
          second.cancel();
        };
      }
      let times = known.times.get(peer);
      if (times === undefined) known.times.set(peer, (times = newAnswerTimes(hedging.answers)));
      const outcome = peer.forward({ ...request, cancellation: first }, deadline);
      const afterMs = hedgeAfterMs(times, quotedMs);
      if ((await isOverIn(outcome, afterMs)) || !spends(known, request, deadline)) {
        if ('answer' in (await outcome)) times.answered(clock.now() - sentAt);
        return outcome;
      }
      void peer.started(first).then((said) => {
        if (said?.isEarlier === true) first.hasStarted = true;
        else if (said !== undefined) first.start();
      });
      let isOver = false;
      const answer = outcome.then((ended) => {
        isOver = true;
        if (!('answer' in ended)) throw NO_ANSWER;
        times.answered(clock.now() - sentAt);
        return ended.answer;
      });
      const end = (): void => {
        if (!isOver) times.cancelled(clock.now() - sentAt);
        isOver = true;
        first.cancel();
      };
      const copy = { progress: first, end, answer };
      const tied = await tie(copy, { ...request, cancellation: second }, deadline, member);
      if (tied.by === 'first') return { answer: tied.answer };
      if (tied.by === 'neither' && (!tied.wasEnded || caller?.cancelled === true)) return outcome;
      void outcome.then((ended) => options.onUnanswered(request, deadline, member, ended));
      if (tied.by === 'second') return { answer: tied.answer, isCounted: true };
      return { lost: true, sent: true, isCounted: true };
    },

    close() {
      for (const { waiting } of knownDeployments.values()) waiting.close();
    },
  };
}

/** @param ms undefined: for as long as it takes. */
async function isOverIn(outcome: Promise<unknown>, ms: number | undefined): Promise<boolean> {
  if (ms === undefined) return true;
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  const isOver = await Promise.race([outcome.then(() => true), late]);
  clearTimeout(timer);
  return isOver;
}
