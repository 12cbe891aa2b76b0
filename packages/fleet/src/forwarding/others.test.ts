/** The members as they come and go, and how far away they are. */
import { expect, test } from 'vitest';
import { answer } from './testing/scripted-node.ts';
import { memberOf, nodeWithPeers, type ScriptedPeer } from './testing/scripted-peers.ts';

const ANSWER = answer(new Map());

test('a connection is kept as long as its member is there, and is not made to this one', () => {
  const { forwarding, node, peers } = nodeWithPeers(2);
  const first = forwarding.peer('0');
  expect(node.opened).toEqual(['0', '1']);
  expect(forwarding.peer('self')).toBeUndefined();
  node.members = ['self', '0'].map((each) => memberOf(each));
  expect(forwarding.peer('1')).toBeUndefined();
  expect(forwarding.peer('0')).toBe(first);
  expect(peers.map(({ isClosed }) => isClosed)).toEqual([false, true]);
  // A start of the same node is another member.
  node.members = [memberOf('self'), { ...memberOf('0'), incarnation: 'again' }];
  expect(forwarding.peer('again')).toBeDefined();
  expect(node.opened).toEqual(['0', '1', '0']);
  const [again] = peers as [ScriptedPeer];
  again.isClosed = false;
  forwarding.close();
  expect(again.isClosed).toBe(true);
});

test('a member without an address is asked for nothing', async () => {
  const { ask, forwarding, node, counters } = nodeWithPeers(1);
  node.members = [memberOf('self'), { ...memberOf('0'), address: '' }];
  expect(forwarding.holders('risk')).toEqual([]);
  expect(forwarding.peer('0')).toBeUndefined();
  await ask().catch(() => {});
  expect([node.opened, counters.refused.no_holder]).toEqual([[], 1]);
});

test('a member holds the versions that it has loaded, and is listed once', () => {
  const { forwarding, node } = nodeWithPeers(2);
  const both = [...memberOf('0').loaded, ...memberOf('0', '4').loaded];
  node.members = [memberOf('self'), { ...memberOf('0'), loaded: both }, memberOf('1', '4')];
  expect(forwarding.holders('risk')).toEqual(['0', '1']);
});

test('a request for a version goes to a member that holds it', async () => {
  const { ask, node, peers } = nodeWithPeers(3);
  node.members = ['self', '0', '1'].map((each) => memberOf(each)).concat(memberOf('2', '4'));
  for (const peer of peers) peer.outcome = () => ({ answer: ANSWER });
  for (let i = 0; i < 5; i++) await ask({ version: '4' });
  expect(peers.map(({ sent }) => sent.length)).toEqual([0, 0, 5]);
});

test('the way to a member counts', async () => {
  const { ask, peers } = nodeWithPeers(2);
  const [far, near] = peers as [ScriptedPeer, ScriptedPeer];
  far.roundTripMs = 100;
  near.quote = () => ({ finishMs: 50 });
  near.outcome = far.outcome = () => ({ answer: ANSWER });
  await ask();
  expect([far.sent.length, near.sent.length]).toEqual([0, 1]);
  // One that would answer at once, such as from a cache, is as far away.
  far.quote = () => ({ finishMs: 0 });
  await ask();
  expect([far.sent.length, near.sent.length]).toEqual([0, 2]);
  // One that would be in time there is late here.
  near.quote = () => ({ finishMs: 60_000 });
  far.quote = () => ({ finishMs: 9950 });
  await ask({ deadline: performance.now() + 10_000 }).catch(() => {});
  expect([far.sent.length, near.sent.length]).toEqual([0, 2]);
  // A way that is longer than the time is not gone.
  const { probes } = far;
  far.roundTripMs = 20_000;
  await ask({ deadline: performance.now() + 10_000 }).catch(() => {});
  expect(far.probes).toBe(probes);
});

test('probes wait for a fifth of the time, and are counted by the answer of the member', async () => {
  const { ask, peers, counters, forwarding } = nodeWithPeers(2);
  const [first, second] = peers as [ScriptedPeer, ScriptedPeer];
  first.outcome = second.outcome = () => ({ answer: ANSWER });
  await ask({ deadline: performance.now() + 60_000 });
  // A fifth of the time.
  expect(first.waitsMs).toBeLessThan(12_000 + 1e-6);
  expect(first.waitsMs).toBeGreaterThan(6_000);
  expect(counters.probes).toEqual({ in_time: 2, late: 0, silent: 0 });
  second.quote = () => undefined;
  await ask();
  expect(counters.probes).toEqual({ in_time: 3, late: 0, silent: 1 });
  second.quote = () => ({});
  await ask();
  expect(counters.probes).toEqual({ in_time: 4, late: 1, silent: 1 });
  second.isLeftOut = true;
  expect(forwarding.leftOut()).toBe(1);
});
