/** The loop around hedges, with its time, its queue and the other members scripted. */
import { SkeinError } from '@skein/api';
import { Cancellation, type InferenceAnswer, type InferenceRequest } from '@skein/serving';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { newCounters } from '../forwarding/counters.ts';
import { request } from '../forwarding/testing/requests.ts';
import { answer } from '../forwarding/testing/scripted-node.ts';
import type { Outcome, Peer } from '../link/peer.ts';
import { createHedges, type HedgesOptions } from './hedges.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const ANSWER = answer(new Map());
const CANCELLED = new SkeinError('CANCELLED', 'It was cancelled.');
/** Requests on this node take so long, in milliseconds, as far as it knows. */
const USUAL_MS = 1000;

interface Sent extends PromiseWithResolvers<InferenceAnswer> {
  readonly request: InferenceRequest;
}

function hedgesOf(
  share: number,
  given: { mayRepeat?: boolean; second?: () => Promise<undefined> } = {},
) {
  const [own, seconds]: [Sent[], Sent[]] = [[], []];
  const counters = newCounters();
  const unanswered: Parameters<HedgesOptions['onUnanswered']>[] = [];
  const into = (list: Sent[]) => (request: InferenceRequest) => {
    list.push({ request, ...Promise.withResolvers<InferenceAnswer>() });
    return list.at(-1)!.promise;
  };
  const hedges = createHedges({
    share,
    local: { infer: into(own), predict: () => ({}) },
    clock: { now: () => performance.now() },
    counters,
    mayRepeat: () => given.mayRepeat ?? true,
    deadlineOf: ({ deadline }) => deadline ?? Infinity,
    isHeldElsewhere: () => true,
    second: given.second ?? into(seconds),
    onUnanswered: (...counted) => unanswered.push(counted),
  });
  const send = (more: Partial<InferenceRequest> = {}) => {
    const cancellation = new Cancellation();
    const outcome = hedges.here(request({ cancellation, ...more }));
    outcome.catch(() => {});
    return { outcome, cancellation, own: own.at(-1)! };
  };
  const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  /** Answers one request here, so that it is known what is usual. */
  async function usual(): Promise<void> {
    const { own, outcome } = send();
    await passes(USUAL_MS);
    own.resolve(ANSWER);
    await outcome;
  }
  return { hedges, counters, unanswered, own, seconds, send, passes, usual };
}

describe('a request that this node does not answer as soon as usual', () => {
  test('is sent a second time for a hedge that was earned, and spends it', async () => {
    const { seconds, send, passes, usual } = hedgesOf(0.5);
    await usual();
    for (const expected of [1, 1, 2, 2, 3]) {
      send();
      await passes(2 * USUAL_MS);
      expect(seconds).toHaveLength(expected);
    }
  });

  test('is sent once if its deadline has passed, and the hedge is kept', async () => {
    const { seconds, counters, send, passes, usual } = hedgesOf(1);
    await usual();
    send({ deadline: performance.now() + USUAL_MS / 2 });
    await passes(2 * USUAL_MS);
    expect(seconds).toHaveLength(0);
    expect(counters.hedges.no_taker).toBe(0);
  });

  test('is sent once if running it twice does harm', async () => {
    const { seconds, send, passes, usual } = hedgesOf(1, { mayRepeat: false });
    await usual();
    send();
    await passes(10 * USUAL_MS);
    expect(seconds).toHaveLength(0);
  });

  test('has the time that this node has predicted for it, where that is longer', async () => {
    const { seconds, send, passes, usual } = hedgesOf(1);
    await usual();
    const cancellation = new Cancellation();
    cancellation.expectedAt = performance.now() + 5 * USUAL_MS;
    send({ cancellation });
    await passes(4.5 * USUAL_MS);
    expect(seconds).toHaveLength(0);
    await passes(USUAL_MS);
    expect(seconds).toHaveLength(1);
  });

  test('is sent once if it is answered before that time', async () => {
    const { seconds, send, passes, usual } = hedgesOf(1);
    await usual();
    const cancellation = new Cancellation();
    cancellation.expectedAt = performance.now() + 5 * USUAL_MS;
    const { own } = send({ cancellation });
    await passes(3 * USUAL_MS);
    own.resolve(ANSWER);
    await passes(3 * USUAL_MS);
    expect(seconds).toHaveLength(0);
  });

  test('is sent once if the node ends before', async () => {
    const { hedges, seconds, send, passes, usual } = hedgesOf(1);
    await usual();
    send();
    hedges.close();
    await passes(10 * USUAL_MS);
    expect(seconds).toHaveLength(0);
  });

  test.each([
    { what: 'gave up its place to a copy that failed', hasStarted: true, leaves: false, runs: 2 },
    { what: 'failed, and so did the other', hasStarted: false, leaves: false, runs: 1 },
    { what: 'gave up its place, and its caller left', hasStarted: true, leaves: true, runs: 1 },
  ])('runs here again only if it $what', async ({ hasStarted, leaves, runs }) => {
    const { own, seconds, send, passes, usual } = hedgesOf(1);
    await usual();
    const before = own.length;
    const { own: first, cancellation } = send();
    cancellation.onCancel = () => first.reject(new Error('It is cancelled here.'));
    await passes(2 * USUAL_MS);
    if (hasStarted) seconds[0]!.request.cancellation!.start();
    else first.reject(new Error('It failed.'));
    if (leaves) cancellation.cancel();
    seconds[0]!.reject(new Error('It failed there.'));
    await passes(0);
    expect(own).toHaveLength(before + runs);
  });

  test('is answered here if the search for another member fails', async () => {
    const second = (): Promise<undefined> => {
      throw new Error('No member can be asked.');
    };
    const { send, passes, usual } = hedgesOf(1, { second });
    await usual();
    const { own, outcome } = send();
    await passes(2 * USUAL_MS);
    own.resolve(ANSWER);
    expect(await outcome).toBe(ANSWER);
  });

  test('is counted by the copy that answered, and as a duplicate where both ran', async () => {
    const { counters, seconds, send, passes, usual } = hedgesOf(1);
    await usual();
    const { outcome, cancellation } = send();
    await passes(2 * USUAL_MS);
    cancellation.hasStarted = true;
    seconds[0]!.request.cancellation!.start();
    seconds[0]!.resolve(ANSWER);
    await outcome;
    expect(counters).toMatchObject({
      duplicates: 1,
      hedges: { second: 1, no_taker: 0 },
      forwards: { answered: 1 },
    });
  });

  test('is counted as one that no member took', async () => {
    const second = () => Promise.resolve(undefined);
    const { counters, send, passes, usual } = hedgesOf(1, { second });
    await usual();
    const { outcome, own } = send();
    await passes(2 * USUAL_MS);
    own.resolve(ANSWER);
    await outcome;
    await passes(0);
    expect(counters).toMatchObject({ duplicates: 0, hedges: { first: 0, no_taker: 1 } });
  });

  test('is cancelled on both nodes when its caller leaves', async () => {
    const { seconds, send, passes, usual } = hedgesOf(1);
    await usual();
    const { cancellation } = send();
    const here = vi.fn<() => void>();
    cancellation.onCancel = here;
    await passes(2 * USUAL_MS);
    cancellation.cancel();
    expect(here).toHaveBeenCalledOnce();
    expect(seconds[0]!.request.cancellation!.cancelled).toBe(true);
  });

  test('is cancelled on the other node alone, once its copy here has failed', async () => {
    const { seconds, send, passes, usual } = hedgesOf(1);
    await usual();
    const { cancellation, own } = send();
    const here = vi.fn<() => void>();
    cancellation.onCancel = here;
    await passes(2 * USUAL_MS);
    own.reject(new Error('It failed.'));
    await passes(0);
    cancellation.cancel();
    expect(here).not.toHaveBeenCalled();
    expect(seconds[0]!.request.cancellation!.cancelled).toBe(true);
  });

  test('does not count for what is usual here when its copy here has failed', async () => {
    const { seconds, send, passes, usual } = hedgesOf(1);
    await usual();
    const { outcome, own } = send();
    await passes(2 * USUAL_MS);
    own.reject(new Error('It failed.'));
    await passes(USUAL_MS);
    seconds[0]!.resolve(ANSWER);
    await outcome;
    send();
    await passes(1.1 * USUAL_MS);
    expect(seconds).toHaveLength(2);
  });

  test.each([
    { what: 'when the other copy starts', startsAt: 2, answered: false, usualMs: 2000 },
    {
      what: 'when the other copy is answered',
      startsAt: undefined,
      answered: false,
      usualMs: 3000,
    },
    { what: 'once, though it is answered later', startsAt: 2, answered: true, usualMs: 2000 },
  ])('counts for what is usual here with what it had waited $what', async (given) => {
    const { seconds, send, passes, usual } = hedgesOf(1);
    await usual();
    const { outcome, own } = send();
    await passes((given.startsAt ?? 3) * USUAL_MS);
    if (given.startsAt !== undefined) {
      seconds[0]!.request.cancellation!.start();
      await passes((3 - given.startsAt) * USUAL_MS);
    }
    if (given.answered) own.resolve(ANSWER);
    else seconds[0]!.resolve(ANSWER);
    await outcome;
    send();
    await passes(given.usualMs - 100);
    expect(seconds).toHaveLength(1);
    await passes(200);
    expect(seconds).toHaveLength(2);
  });
});

describe('a request that another member has', () => {
  /** Answers nothing by itself. */
  function peerOf() {
    const sent: { request: InferenceRequest; outcome: PromiseWithResolvers<Outcome> }[] = [];
    const peer = {
      forward(request: InferenceRequest) {
        sent.push({ request, outcome: Promise.withResolvers<Outcome>() });
        return sent.at(-1)!.outcome.promise;
      },
      started: () => new Promise(() => {}),
    } as unknown as Peer;
    return { peer, sent };
  }

  test('has the time that others of its kind have taken there, cancelled ones for what they had waited', async () => {
    const { hedges, seconds, send, passes } = hedgesOf(1);
    const { peer } = peerOf();
    send();
    const first = hedges.there('b', peer, request(), Infinity, 500);
    await passes(600);
    expect(seconds).toHaveLength(1);
    await passes(400);
    seconds[0]!.request.cancellation!.start();
    await passes(2000);
    seconds[0]!.resolve(ANSWER);
    expect(await first).toEqual({ answer: ANSWER, isCounted: true });
    // One second, of which none was predicted.
    send();
    void hedges.there('b', peer, request(), Infinity, undefined);
    await passes(900);
    expect(seconds).toHaveLength(1);
    await passes(200);
    expect(seconds).toHaveLength(2);
  });

  test.each<{ what: string; outcome: Outcome }>([
    { what: 'was lost', outcome: { lost: true, sent: true } },
    { what: 'failed', outcome: { error: new SkeinError('REPLICA_LOST', 'It failed.') } },
  ])('that $what there is counted, though the second copy is answered', async ({ outcome }) => {
    const { hedges, seconds, unanswered, send, passes } = hedgesOf(1);
    const { peer, sent } = peerOf();
    send();
    const asked = request();
    const first = hedges.there('b', peer, asked, 9000, 500);
    await passes(600);
    sent[0]!.outcome.resolve(outcome);
    await passes(0);
    expect(unanswered).toEqual([]);
    seconds[0]!.resolve(ANSWER);
    expect(await first).toEqual({ answer: ANSWER, isCounted: true });
    expect(unanswered).toEqual([[asked, 9000, 'b', outcome]]);
  });

  test('that is answered there counts for what is usual, one that fails does not', async () => {
    const { hedges, seconds, send, passes } = hedgesOf(1);
    const { peer, sent } = peerOf();
    const asks = (quotedMs?: number) => hedges.there('b', peer, request(), Infinity, quotedMs);
    send();
    send();
    const error = new SkeinError('QUEUE_FULL', 'It is full.');
    void asks();
    sent[0]!.outcome.resolve({ error });
    await passes(1);
    const neither = asks(5000);
    await passes(6000);
    sent[1]!.outcome.resolve({ error });
    seconds.pop()!.reject(new Error('It failed there.'));
    expect(await neither).toEqual({ error });
    void asks();
    await passes(1000);
    // Nothing is known yet.
    expect(seconds).toHaveLength(0);
    sent[2]!.outcome.resolve({ answer: ANSWER });
    await passes(1);
    void asks();
    await passes(900);
    expect(seconds).toHaveLength(0);
    await passes(200);
    expect(seconds).toHaveLength(1);
  });

  test('that is answered there after a second copy was sent counts with all of its time', async () => {
    const { hedges, seconds, send, passes } = hedgesOf(1);
    const { peer, sent } = peerOf();
    send();
    const first = hedges.there('b', peer, request(), Infinity, 500);
    await passes(3000);
    expect(seconds).toHaveLength(1);
    sent[0]!.outcome.resolve({ answer: ANSWER });
    expect(await first).toEqual({ answer: ANSWER });
    send();
    void hedges.there('b', peer, request(), Infinity, undefined);
    await passes(2900);
    expect(seconds).toHaveLength(1);
    await passes(200);
    expect(seconds).toHaveLength(2);
  });

  test('leaves no timer behind', async () => {
    const { hedges } = hedgesOf(1);
    const { peer, sent } = peerOf();
    const outcome = hedges.there('b', peer, request(), Infinity, 500);
    sent[0]!.outcome.resolve({ answer: ANSWER });
    await outcome;
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    { leaves: false, expected: { lost: true, sent: true, isCounted: true } },
    { leaves: true, expected: { error: CANCELLED } },
  ])('is lost with the copy that it was ended for, unless its caller left: %o', async (given) => {
    const { hedges, seconds, send, passes } = hedgesOf(1);
    const { peer, sent } = peerOf();
    const cancellation = new Cancellation();
    send();
    const outcome = hedges.there('b', peer, request({ cancellation }), Infinity, 500);
    await passes(600);
    seconds[0]!.request.cancellation!.start();
    expect(sent[0]!.request.cancellation!.cancelled).toBe(true);
    sent[0]!.outcome.resolve({ error: CANCELLED });
    if (given.leaves) cancellation.cancel();
    seconds[0]!.reject(new Error('It was lost.'));
    expect(await outcome).toEqual(given.expected);
  });

  test('is cancelled there if its caller has left already', () => {
    const { hedges } = hedgesOf(1);
    const { peer, sent } = peerOf();
    const cancellation = new Cancellation();
    cancellation.cancel();
    void hedges.there('b', peer, request({ cancellation }), Infinity, 500);
    expect(sent[0]!.request.cancellation!.cancelled).toBe(true);
  });
});
