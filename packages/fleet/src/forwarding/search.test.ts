/** A node's decisions on the answers of its members, which are given one by one. */
import { DeploymentSettings } from '@skein/api';
import { describe, expect, test } from 'vitest';
import { errorMeta } from '../link/messages.ts';
import { codeOf } from './testing/requests.ts';
import { answer } from './testing/scripted-node.ts';
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
  ])('names the earliest time of all for a retry: %o', async ({ own, others, named }) => {
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
    // It had too little time for a run, so another request that has more may still run.
    { code: 'DEADLINE_UNREACHABLE', retryAfterMs: Infinity, isProbed: true },
    { code: 'NO_REPLICA', retryAfterMs: 200, isProbed: true },
  ] as const)(
    'counts for one with more time where its member had no capacity: %o',
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
    // It has capacity now. A request that ran, and does no harm, would run here.
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

  test('is not reported as refused if it failed where it ran', async () => {
    const { ask, refusedBy, peers, counters } = cold();
    for (const peer of peers) peer.outcome = () => ({ error: refusal('INPUT_REJECTED') });
    expect(await refusedBy(ask())).toMatchObject({ code: 'INPUT_REJECTED' });
    expect(counters.forwards.failed).toBe(1);
  });

  test('may have run on a member that is lost, which the error of a composition reports', async () => {
    const { ask, refusedBy, peers, counters } = cold(COMPOSITION);
    for (const peer of peers) peer.outcome = () => ({ lost: true, sent: true });
    expect(await refusedBy(ask())).toMatchObject({ code: 'PEER_LOST' });
    expect(counters).toMatchObject({ forwards: { lost: 1 }, refused: { lost: 1, no_taker: 0 } });
  });
});
