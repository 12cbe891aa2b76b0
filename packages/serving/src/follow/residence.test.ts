import { type DeploymentSettingsPatch, SkeinError } from '@skein/api';
import type { RolloutRecord } from '@skein/state';
import { describe, expect, it } from 'vitest';
import { deployed, event } from '../testing/await-events.ts';
import { feedOf } from '../testing/feed.ts';
import { ACTOR, codeOf, openScene, request, type Scene } from '../testing/scene.ts';
import type { Place, Placing } from './placing.ts';

/** A node whose fleet decides what it holds, next to one that deploys. */
async function openPair() {
  const a = await openScene();
  const feed = feedOf(a);
  const peers = { self: 'b', others: async () => new Map(), publish() {} };
  const elsewhere = new Set<string>();
  const evictedFor: string[] = [];
  const counted = new Map<string, string[]>();
  let eviction: (name: string) => ReadonlyMap<string, Place> = () => new Map();
  let handOver: Placing['isHandedOver'] = () => Promise.resolve(true);
  const place = (name: string): Place => ({
    isHere: !elsewhere.has(name),
    others: 1,
    reason: 'the test decides so',
  });
  const placing: Placing = {
    budgetBytes: 1e9,
    decide: (wanted) => new Map(wanted.map(({ row }) => [row.name, place(row.name)])),
    evictionFor(name, residents) {
      evictedFor.push(name);
      counted.set(
        name,
        residents.map(({ id }) => id),
      );
      return eviction(name);
    },
    isHandedOver: (...parameters) => handOver(...parameters),
  };
  const b = a.restart({ desired: feed, peers, placing });
  await b.serving.start();
  return {
    a,
    b,
    feed,
    elsewhere,
    evictedFor,
    counted,
    evictionIs: (next: typeof eviction) => (eviction = next),
    handOverIs: (next: typeof handOver) => (handOver = next),
    place,
    close: () => Promise.all([a.serving.drain(), b.serving.drain()]),
  };
}

const answered = async ({ serving }: Scene) => (await serving.infer(request('risk'))).version;
const reasonSeen = (scene: Scene, words: string) =>
  event(scene, ({ reason }) => reason.includes(words));

describe('a deployment that other members hold', () => {
  it('leaves this node, is described and refused here, and comes back', async () => {
    const { a, b, feed, elsewhere, close } = await openPair();
    await deployed(a);
    await feed.read();
    await reasonSeen(b, 'revision 1 is here');
    elsewhere.add('risk');
    await feed.read();
    await reasonSeen(b, 'is on other members: the test decides so');
    expect(b.targets[0]!.drained).toBe(true);
    expect(b.serving.loaded()).toEqual([]);
    expect(b.serving.view('risk')).toMatchObject({
      status: 'elsewhere',
      reason: 'the test decides so',
    });
    expect(b.serving.describe('risk')).toMatchObject({ version: '1', ready: true });
    expect(b.serving.isReady('risk')).toBe(true);
    expect(b.serving.isReady('risk', '9')).toBe(false);
    expect(await codeOf(answered(b))).toBe('NO_REPLICA');
    // The member that answers counts it.
    expect(b.observed.refused).toEqual([]);
    expect(b.serving.predict(request('risk')).refusal?.code).toBe('NO_REPLICA');
    elsewhere.clear();
    await feed.read();
    await expect.poll(() => codeOf(answered(b))).toBe('succeeded');
    await close();
  });

  it('answers until the other members know that it leaves, and stays if none of them holds it', async () => {
    const { a, b, feed, elsewhere, handOverIs, close } = await openPair();
    await deployed(a);
    await feed.read();
    await reasonSeen(b, 'revision 1 is here');
    const asked: string[] = [];
    const answers: ((isHandedOver: boolean) => void)[] = [];
    handOverIs((name) => {
      asked.push(name);
      return new Promise((resolve) => answers.push(resolve));
    });
    elsewhere.add('risk');
    await feed.read();
    await expect.poll(() => answers.length).toBe(1);
    expect(asked).toEqual(['risk']);
    expect(b.serving.loaded()).toEqual([]);
    expect(b.serving.view('risk').status).toBe('elsewhere');
    expect(await codeOf(answered(b))).toBe('succeeded');
    answers.shift()!(false);
    // It is tried again, and is published meanwhile.
    await expect.poll(() => answers.length).toBe(1);
    expect(await codeOf(answered(b))).toBe('succeeded');
    expect(b.targets[0]!.drained).toBe(false);
    answers.shift()!(true);
    await reasonSeen(b, 'is on other members');
    expect(b.targets[0]!.drained).toBe(true);
    expect(await codeOf(answered(b))).toBe('NO_REPLICA');
    await close();
  });

  it('is not loaded by a node that starts, and follows a change without being loaded', async () => {
    const { a, b, feed, elsewhere, close } = await openPair();
    elsewhere.add('risk');
    await deployed(a);
    await feed.read();
    await reasonSeen(b, 'revision 1 is on other members');
    await a.version('risk');
    await a.serving.deploy({ name: 'risk', version: '2' }, ACTOR);
    await feed.read();
    await reasonSeen(b, 'revision 2 is on other members');
    expect(b.serving.describe('risk').version).toBe('2');
    expect(b.targets).toEqual([]);
    await a.serving.unload('risk', ACTOR);
    await feed.read();
    await expect.poll(() => b.serving.view('risk').status).toBe('unloaded');
    await close();
  });

  it('takes new settings, which are stored for the members that hold it', async () => {
    const { a, b, feed, elsewhere, close } = await openPair();
    elsewhere.add('risk');
    await deployed(a);
    await feed.read();
    await reasonSeen(b, 'revision 1 is on other members');
    const change = (settings: DeploymentSettingsPatch) =>
      b.serving.changeSettings('risk', settings, ACTOR);
    expect(await change({ maxQueue: 7 })).toMatchObject({
      status: 'elsewhere',
      revision: 2,
      settings: { maxQueue: 7 },
    });
    expect(b.serving.describe('risk').settings.maxQueue).toBe(7);
    expect(b.targets).toEqual([]);
    const [written] = await b.state.history({ deployment: 'risk', limit: 1 });
    expect(written).toMatchObject({
      kind: 'settings-changed',
      reason: 'maxQueue changed; no member that holds it was there',
    });
    // The same a second time changes nothing.
    expect((await change({ maxQueue: 7 })).revision).toBe(2);
    const stored = (await a.state.deployment('risk'))!;
    expect(stored).toMatchObject({
      settings: { maxQueue: 7 },
      targets: [{ version: '1', weight: 100 }],
    });
    expect(await codeOf(change({ threads: 99 }))).toBe('DEPLOYMENT_INVALID');
    const rollout = { id: 'r', to: '2', phase: 'shifting' } as unknown as RolloutRecord;
    await a.state.putDeployment({ ...stored, rollout }, 2);
    expect(await codeOf(change({ maxQueue: 8 }))).toBe('ROLLOUT_IN_PROGRESS');
    await a.state.putDeployment({ ...stored, rollout: { ...rollout, phase: 'finished' } }, 3);
    expect(await change({ maxQueue: 8 })).toMatchObject({ revision: 5 });
    await a.state.putDeployment({ ...stored, unloaded: true }, 5);
    expect(await codeOf(change({ maxQueue: 9 }))).toBe('DEPLOYMENT_INVALID');
    feed.away = true;
    expect(await codeOf(change({ maxQueue: 9 }))).toBe('STORE_UNREACHABLE');
    await close();
  });

  it('gives its memory to one that is deployed here, or refuses that one', async () => {
    const { a, b, feed, elsewhere, evictedFor, evictionIs, handOverIs, place, close } =
      await openPair();
    await deployed(a);
    await feed.read();
    await reasonSeen(b, 'revision 1 is here');
    await b.version('other');
    elsewhere.add('risk');
    evictionIs(() => new Map([['risk', place('risk')]]));
    // The other copy goes at the same time, and comes back.
    const handedOver = [false, true];
    handOverIs(() => Promise.resolve(handedOver.shift() ?? true));
    await b.serving.deploy({ name: 'other', version: '1' }, ACTOR);
    expect(evictedFor).toContain('other');
    expect(b.serving.view('risk').status).toBe('elsewhere');
    evictionIs(() => {
      throw new SkeinError('FLEET_MEMORY', 'Too little memory.');
    });
    await b.version('third');
    expect(await codeOf(b.serving.deploy({ name: 'third', version: '1' }, ACTOR))).toBe(
      'FLEET_MEMORY',
    );
    expect(await codeOf(b.serving.infer(request('third')))).toBe('MODEL_UNKNOWN');
    await close();
  });

  it('waits for memory behind what waited before it, and never for what waits after it', async () => {
    const { a, b, counted, evictionIs, close } = await openPair();
    for (const name of ['first', 'second']) await b.version(name);
    let isFull = true;
    evictionIs(() => {
      if (isFull) throw new SkeinError('FLEET_MEMORY', 'Not yet.', { retryAfterMs: 1 });
      return new Map();
    });
    const first = b.serving.deploy({ name: 'first', version: '1' }, ACTOR);
    await expect.poll(() => counted.has('first')).toBe(true);
    const second = b.serving.deploy({ name: 'second', version: '1' }, ACTOR);
    await expect.poll(() => counted.get('second')).toEqual(['first', 'second']);
    counted.delete('first');
    await expect.poll(() => counted.get('first')).toEqual(['first']);
    isFull = false;
    await Promise.all([first, second]);
    expect(a.targets).toEqual([]);
    await close();
  });
});
