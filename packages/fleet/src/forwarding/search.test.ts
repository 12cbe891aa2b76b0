/** What a node does with what the members answer, told one by one. */
import { DeploymentSettings } from '@skein/api';
import type { InferenceAnswer } from '@skein/serving';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { errorMeta, type QuoteMeta } from '../link/messages.ts';
import type { Outcome } from '../link/peer.ts';
import { codeOf, request } from './testing/requests.ts';
import { answer, type Behave } from './testing/scripted-node.ts';
import { nodeWithPeers, refusal, type ScriptedPeer } from './testing/scripted-peers.ts';

const ANSWER = answer(new Map());
const COMPOSITION = { kind: 'composition', settings: DeploymentSettings.parse({}) } as const;

describe('a refused request', () => {
  test.each([
    { own: 400, others: [90], named: 90 },
    { own: 30, others: [90], named: 30 },
    { own: 400, others: [90, 60], named: 60 },
    { own: 400, others: [60, 90], named: 60 },
    { own: 30, others: [90, 60], named: 30 },
    { own: Infinity, others: [90], named: 90 },
    { own: 400, others: [Infinity, 600], named: 400 },
    { own: Infinity, others: [Infinity, Infinity], named: undefined },
  ])('is told to wait for the earliest time of all: %o', async ({ own, others, named }) => {
    const { ask, refusedBy, node, peers } = nodeWithPeers(others.length);
    node.behave = () => Promise.reject(refusal('DEADLINE_UNREACHABLE', own));
    for (const [i, peer] of peers.entries()) {
      const error = refusal('QUEUE_FULL', others[i]);
      // One that is alone is sent the request; two are asked before.
      peer.outcome = () => ({ error });
      peer.quote = () => ({ refusal: { ...errorMeta(error), retryAfterMs: others[i] } });
    }
    const refused = await refusedBy(ask());
    expect(refused).toMatchObject({ code: 'DEADLINE_UNREACHABLE', retryAfterMs: named });
    const on = others.length === 1 ? '1 other member' : '2 other members';
    expect(refused.message).toBe(`DEADLINE_UNREACHABLE. So would it be on ${on}.`);
    expect(peers[0]!.sent).toHaveLength(others.length === 1 ? 1 : 0);
  });

  test('for which no member is worth asking stays as it is', async () => {
    const { ask, refusedBy, node, peers, counters } = nodeWithPeers(2);
    const own = refusal('QUEUE_FULL', 400);
    node.behave = () => Promise.reject(own);
    for (const peer of peers) peer.isLeftOut = true;
    const { message, code, retryAfterMs } = await refusedBy(ask());
    expect([message, code, retryAfterMs]).toEqual(['QUEUE_FULL.', 'QUEUE_FULL', 400]);
    expect(counters.refused).toMatchObject({ fleet_full: 1, no_taker: 0 });
  });

  test.each([
    { code: 'QUEUE_FULL', sent: 0 },
    { code: 'NO_REPLICA', sent: 1 },
  ] as const)(
    'goes to a member that was full just now only from a node without the model: %o',
    async (given) => {
      const { ask, node, peers } = nodeWithPeers(1);
      const [peer] = peers as [ScriptedPeer];
      peer.outcome = () => ({ error: refusal('QUEUE_FULL', 200) });
      node.behave = () => Promise.reject(refusal('QUEUE_FULL'));
      await ask().catch(() => {});
      node.behave = () => Promise.reject(refusal(given.code));
      await ask().catch(() => {});
      expect(peer.sent).toHaveLength(1 + given.sent);
    },
  );

  test('goes to the other member when the first one has left since it was asked', async () => {
    const { ask, node, peers } = nodeWithPeers(2);
    peers[1]!.quote = () => {
      node.members = node.members.filter(({ incarnation }) => incarnation !== '0');
      return { finishMs: 20 };
    };
    peers[1]!.outcome = () => ({ answer: ANSWER });
    expect(await ask()).toBe(ANSWER);
    expect(peers[0]).toMatchObject({ isClosed: true, sent: [] });
  });

  test('asks others the less, the fewer rounds find a taker, and again when they do', async () => {
    const { ask, node, peers, counters } = nodeWithPeers(1);
    const [peer] = peers as [ScriptedPeer];
    peer.outcome = () => ({ error: refusal('NO_REPLICA') });
    const isSent = async (): Promise<boolean> => {
      const before = peer.sent.length;
      await ask().catch(() => {});
      return peer.sent.length > before;
    };
    expect(await isSent()).toBe(true);
    for (let i = 0; i < 100; i++) await isSent();
    expect(await isSent()).toBe(false);
    expect(counters.refused.fleet_full).toBeGreaterThan(0);
    // Few ask still.
    node.random = 0;
    peer.outcome = () => ({ answer: ANSWER });
    for (let i = 0; i < 30; i++) await isSent();
    node.random = 0.5;
    expect(await isSent()).toBe(true);
  });

  test.each([
    { code: 'QUEUE_FULL', retryAfterMs: 200, isProbed: false },
    // It had too little time for a run, which says nothing of one that has more.
    { code: 'DEADLINE_UNREACHABLE', retryAfterMs: Infinity, isProbed: true },
    { code: 'NO_REPLICA', retryAfterMs: 200, isProbed: true },
  ] as const)(
    'speaks for one with more time where its member had no room: %o',
    async ({ code, retryAfterMs, isProbed }) => {
      const { ask, node, peers } = nodeWithPeers(2);
      node.random = 0;
      const error = refusal(code, retryAfterMs);
      for (const peer of peers)
        peer.quote = () => ({ refusal: { ...errorMeta(error), retryAfterMs } });
      const deadline = performance.now() + 10_000;
      await ask({ deadline }).catch(() => {});
      await ask({ deadline: deadline + 100 }).catch(() => {});
      expect(peers.map(({ probes }) => probes)).toEqual(isProbed ? [2, 2] : [1, 1]);
    },
  );

  test.each([
    { model: {}, outcome: 'answered' },
    { model: COMPOSITION, outcome: 'NODE_DRAINING' },
  ])(
    'that a draining member gives back may have run, if it is a composition: %o',
    async (given) => {
      const { ask, peers } = nodeWithPeers(2, { model: given.model });
      const [first, second] = peers as [ScriptedPeer, ScriptedPeer];
      second.quote = () => ({ finishMs: 20 });
      first.outcome = () => ({ error: refusal('NODE_DRAINING') });
      second.outcome = () => ({ answer: ANSWER });
      expect(await codeOf(ask())).toBe(given.outcome);
    },
  );

  test('for what this node does not know may be a composition, and runs once', async () => {
    const { ask, node, peers } = nodeWithPeers(1, { isUnknown: true });
    node.behave = () => Promise.reject(refusal('MODEL_UNKNOWN'));
    node.prediction = () => ({ finishMs: 1 });
    peers[0]!.outcome = () => ({ lost: true, sent: true });
    expect(await codeOf(ask({ deadline: performance.now() + 10_000 }))).toBe('PEER_LOST');
  });

  test('that fails where it ran is counted as that, and tried nowhere else', async () => {
    const { ask, refusedBy, peers, counters } = nodeWithPeers(2);
    for (const peer of peers) peer.outcome = () => ({ error: refusal('INPUT_REJECTED') });
    expect(await refusedBy(ask())).toMatchObject({ code: 'INPUT_REJECTED' });
    expect(counters.forwards).toEqual({ answered: 0, refused: 0, failed: 1, lost: 0 });
    expect(peers.flatMap(({ sent }) => sent)).toHaveLength(1);
  });

  test.each([{}, COMPOSITION])('that no member has received has not run: %o', async (model) => {
    const { ask, refusedBy, node, peers, counters } = nodeWithPeers(1, { model });
    peers[0]!.outcome = () => ({ lost: true, sent: false });
    // It has room now. A request that ran, and does no harm, would run here.
    node.prediction = () => ({ finishMs: 1 });
    expect(await refusedBy(ask())).toMatchObject({ code: 'DEADLINE_UNREACHABLE' });
    expect(counters).toMatchObject({
      forwards: { lost: 1 },
      refused: { no_taker: 1, lost: 0 },
      repeated: 0,
    });
  });
});

describe('a request for which two members without a replica would be late', () => {
  function cold(model = {}) {
    const node = nodeWithPeers(2, { model });
    for (const peer of node.peers) {
      peer.quote = () => ({ refusal: refusal('NO_REPLICA', 90), wakes: true });
    }
    return node;
  }

  test('is answered by the one that it starts a replica on, if that is in time after all', async () => {
    const { ask, peers, counters } = cold();
    for (const peer of peers) peer.outcome = () => ({ answer: ANSWER });
    expect(await ask()).toBe(ANSWER);
    expect(peers.flatMap(({ sent }) => sent)).toHaveLength(1);
    expect(counters.forwards.answered).toBe(1);
  });

  test('is not said to be refused if it failed where it ran', async () => {
    const { ask, refusedBy, peers, counters } = cold();
    for (const peer of peers) peer.outcome = () => ({ error: refusal('INPUT_REJECTED') });
    expect(await refusedBy(ask())).toMatchObject({ code: 'INPUT_REJECTED' });
    expect(counters.forwards.failed).toBe(1);
  });

  test('may have run on a member that is lost, which a composition is told', async () => {
    const { ask, refusedBy, peers, counters } = cold(COMPOSITION);
    for (const peer of peers) peer.outcome = () => ({ lost: true, sent: true });
    expect(await refusedBy(ask())).toMatchObject({ code: 'PEER_LOST' });
    expect(counters).toMatchObject({ forwards: { lost: 1 }, refused: { lost: 1, no_taker: 0 } });
  });
});

describe('a second copy of a request that takes long on the first of three members', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  /** The first one takes the request, which is sent a second time after ten milliseconds. */
  async function sent() {
    const node = nodeWithPeers(3, { hedgeShare: 1 });
    // The first two are asked, and then the others.
    node.node.random = 0;
    const [first, second, third] = node.peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer];
    second.quote = third.quote = () => ({ finishMs: 20 });
    const outcome = Promise.withResolvers<Outcome>();
    first.outcome = () => outcome.promise;
    const answered = node.ask();
    await passes(5);
    expect(first.sent).toHaveLength(1);
    return { ...node, first, second, third, outcome, answered };
  }

  test('is given up if the first one is answered while it looks for a member', async () => {
    const { second, third, outcome, answered } = await sent();
    const quote = Promise.withResolvers<QuoteMeta>();
    second.quote = third.quote = () => quote.promise;
    await passes(10);
    expect(third.probes).toBe(1);
    outcome.resolve({ answer: ANSWER });
    expect(await answered).toBe(ANSWER);
    quote.resolve({ finishMs: 20 });
    await passes(1);
    const [copy] = [...second.sent, ...third.sent];
    expect(copy!.cancellation!.cancelled).toBe(true);
  });

  test('is no failure when the first one starts and cancels it', async () => {
    const { first, second, outcome, answered, counters } = await sent();
    const started = Promise.withResolvers<{ isEarlier: boolean }>();
    first.start = () => started.promise;
    second.outcome = ({ cancellation }) =>
      new Promise((resolve) => {
        cancellation!.onCancel = () => resolve({ error: refusal('CANCELLED') });
      });
    await passes(10);
    expect(second.sent).toHaveLength(1);
    started.resolve({ isEarlier: false });
    await passes(1);
    expect(second.sent[0]!.cancellation!.cancelled).toBe(true);
    outcome.resolve({ answer: ANSWER });
    await answered;
    expect(counters.hedges.first).toBe(1);
    expect(counters.forwards).toEqual({ answered: 1, refused: 0, failed: 0, lost: 0 });
  });

  test.each(['first', 'second'] as const)(
    'that runs beside the first one is one answer and one duplicate: the %s is sooner',
    async (sooner) => {
      const { first, second, outcome, answered, counters } = await sent();
      first.start = () => Promise.resolve({ isEarlier: true });
      second.start = () => Promise.resolve({ isEarlier: false });
      const other = Promise.withResolvers<Outcome>();
      second.outcome = () => other.promise;
      await passes(10);
      const [one, late] = sooner === 'first' ? [outcome, other] : [other, outcome];
      one.resolve({ answer: ANSWER });
      expect(await answered).toBe(ANSWER);
      late.resolve({ answer: ANSWER });
      await passes(1);
      expect(counters).toMatchObject({
        forwards: { answered: 1, refused: 0, failed: 0, lost: 0 },
        hedges: { first: 0, second: 0, neither: 0, [sooner]: 1 },
        duplicates: 1,
      });
    },
  );

  test('cancels the first one when it starts, and not because its member cannot tell', async () => {
    const { first, second } = await sent();
    const started = Promise.withResolvers<{ isEarlier: boolean } | undefined>();
    second.start = () => started.promise;
    await passes(10);
    started.resolve(undefined);
    await passes(1);
    expect(first.sent[0]!.cancellation!.cancelled).toBe(false);
    const other = await sent();
    other.second.start = () => Promise.resolve({ isEarlier: false });
    await passes(10);
    expect(other.first.sent[0]!.cancellation!.cancelled).toBe(true);
  });

  test('goes to no member that was full just now', async () => {
    const { second, third } = await sent();
    second.refusals.note(request(), performance.now(), Infinity, 200);
    await passes(10);
    expect([second.probes, second.sent.length, third.sent.length]).toEqual([1, 0, 1]);
  });

  test('leaves the first one alone when its member is lost', async () => {
    const { second, outcome, answered, counters } = await sent();
    second.outcome = () => ({ lost: true, sent: true });
    await passes(10);
    outcome.resolve({ answer: ANSWER });
    expect(await answered).toBe(ANSWER);
    expect(counters).toMatchObject({ repeated: 0, refused: { lost: 0 }, forwards: { lost: 1 } });
  });

  test('of what this node has accepted goes to another one, though there is room here', async () => {
    const { ask, node, peers } = nodeWithPeers(1, { hedgeShare: 1 });
    node.prediction = () => ({ finishMs: 1 });
    const behave = vi.fn<Behave>().mockResolvedValueOnce(ANSWER);
    node.behave = behave.mockReturnValue(new Promise(() => {}));
    await ask();
    void ask();
    await passes(2000);
    expect(behave).toHaveBeenCalledTimes(2);
    expect(peers[0]!.sent).toHaveLength(1);
  });

  test.each(['has no other holder', 'leaves its fleet'])(
    'is not looked for once its node %s',
    async (what) => {
      const { ask, node, peers, forwarding, counters } = nodeWithPeers(1, { hedgeShare: 1 });
      if (what === 'has no other holder') node.members = [];
      const own = Promise.withResolvers<InferenceAnswer>();
      node.behave = vi.fn<Behave>().mockResolvedValueOnce(ANSWER).mockReturnValue(own.promise);
      await ask();
      const answered = ask();
      if (what === 'leaves its fleet') forwarding.close();
      await passes(2000);
      own.resolve(ANSWER);
      await answered;
      await passes(1);
      expect([peers[0]!.sent.length, counters.hedges.no_taker]).toEqual([0, 0]);
    },
  );

  test.each([
    { random: 0, copies: 2 },
    { random: 0.5, copies: 1 },
  ])('asks as rarely as a refused request while no round finds a taker: %o', async (given) => {
    const { ask, node, peers } = nodeWithPeers(4, { hedgeShare: 1 });
    node.behave = () => Promise.reject(refusal('NO_REPLICA'));
    for (const peer of peers) peer.quote = () => ({ refusal: refusal('NO_REPLICA') });
    for (let i = 0; i < 100; i++) await ask().catch(() => {});
    for (const peer of peers) peer.quote = () => ({ finishMs: 10 });
    node.random = given.random;
    void ask();
    await passes(50);
    expect(peers.flatMap(({ sent }) => sent)).toHaveLength(given.copies);
  });
});
