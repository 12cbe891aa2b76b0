import { describe, expect, it } from 'vitest';
import { ACTOR, codeOf, openScene, request, type Scene } from '../testing/scene.ts';
import { deployed, event, eventOfKind } from '../testing/await-events.ts';
import { feedOf } from '../testing/feed.ts';

/** Two nodes of one fleet; the second follows the deployments of the first. */
async function openPair() {
  const a = await openScene();
  const feed = feedOf(a);
  const peers = { self: 'b', others: async () => new Map(), publish() {} };
  const b = a.restart({ desired: feed, peers });
  await b.serving.start();
  await deployed(a);
  await feed.read();
  await followed(b, 1);
  return { a, b, feed, close: () => Promise.all([a.serving.drain(), b.serving.drain()]) };
}

const answered = async ({ serving }: Scene) => (await serving.infer(request('risk'))).version;
const followed = ({ serving }: Scene, revision: number) =>
  event({ serving }, ({ reason }) => reason === `revision ${revision} is here`);

describe('a node that follows its fleet', () => {
  it('serves what another node deploys, changes, unloads and removes', async () => {
    const { a, b, feed, close } = await openPair();
    expect(await answered(b)).toBe('1');

    await a.version('risk');
    await a.serving.deploy({ name: 'risk', version: '2' }, ACTOR);
    await a.serving.changeSettings('risk', { maxQueue: 7 }, ACTOR);
    await feed.read();
    await followed(b, 3);
    expect(await answered(b)).toBe('2');
    expect(b.serving.view('risk')).toMatchObject({ revision: 3, settings: { maxQueue: 7 } });
    expect(b.targets[0]!.drained).toBe(true);

    await a.serving.rollback('risk', 'worse', ACTOR);
    await a.serving.rollback('risk', 'worse', ACTOR);
    await feed.read();
    await followed(b, 5);
    expect(await answered(b)).toBe(await answered(a));

    await a.serving.unload('risk', ACTOR);
    await feed.read();
    await followed(b, 6);
    expect(b.serving.view('risk').status).toBe('unloaded');
    expect(await codeOf(answered(b))).toBe('MODEL_UNKNOWN');

    await a.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    await feed.read();
    await followed(b, 7);
    expect(await answered(b)).toBe('1');

    await a.serving.undeploy('risk', ACTOR);
    const gone = event(b, ({ reason }) => reason === 'is removed here');
    await feed.read();
    await gone;
    expect(await codeOf(answered(b))).toBe('MODEL_UNKNOWN');
    await close();
  });

  it('sends a version no traffic before it is ready here', async () => {
    const { a, b, feed, close } = await openPair();
    await a.version('risk');
    await a.serving.deploy({ name: 'risk', version: '2' }, ACTOR);
    const slow = Promise.withResolvers<void>();
    // The same version takes longer on the other node.
    Object.assign(a.targets.at(-1)!.script, { loading: slow.promise });
    await feed.read();
    expect(await answered(b)).toBe('1');
    expect(await codeOf(b.serving.changeSettings('risk', {}, ACTOR))).toBe('ROLLOUT_IN_PROGRESS');
    slow.resolve();
    await followed(b, 2);
    expect(await answered(b)).toBe('2');
    await close();
  });

  it('shows why a version cannot be served here, keeps the earlier one, and tries again', async () => {
    const { a, b, feed, close } = await openPair();
    await a.version('risk');
    await a.serving.deploy({ name: 'risk', version: '2' }, ACTOR);
    Object.assign(a.targets.at(-1)!.script, { loadError: new Error('out of memory') });
    await feed.read();
    await eventOfKind(b, 'failed');
    expect(await answered(b)).toBe('1');
    expect(b.serving.view('risk')).toMatchObject({
      status: 'ready',
      reason: expect.stringContaining('attempt 1: '),
    });
    expect(b.serving.view('risk').reason).toContain('out of memory');
    // The memory is free again before the next attempt, a second later.
    Object.assign(a.targets.at(-1)!.script, { loadError: undefined });
    await followed(b, 2);
    expect(b.serving.view('risk').reason).not.toContain('attempt');
    expect(await answered(b)).toBe('2');
    await close();
  });

  it('ends a rollout that another change of the deployment has replaced', async () => {
    const { a, b, feed, close } = await openPair();
    await a.version('risk');
    const plan = { strategy: 'canary', steps: [50], stepMs: 3_600_000 } as never;
    await b.serving.deploy({ name: 'risk', version: '2', plan }, ACTOR);
    const { name, settings, targets, revision } = (await a.state.deployment('risk'))!;
    const changed = { name, targets, settings: { ...settings, maxQueue: 9 } };
    await a.state.putDeployment(changed, revision);
    await feed.read();
    await followed(b, revision + 1);
    expect(b.serving.view('risk')).toMatchObject({ settings: { maxQueue: 9 } });
    expect(b.serving.view('risk').rollout?.phase).toBe('rolled-back');
    await close();
  });

  it('refuses changes while the store is away, and serves on', async () => {
    const { b, feed, close } = await openPair();
    feed.away = true;
    for (const change of [
      b.serving.deploy({ name: 'risk', version: '1', settings: { maxQueue: 2 } }, ACTOR),
      b.serving.changeSettings('risk', { maxQueue: 2 }, ACTOR),
      b.serving.rollback('risk', 'why not', ACTOR),
      b.serving.unload('risk', ACTOR),
      b.serving.undeploy('risk', ACTOR),
    ]) {
      expect(await codeOf(change)).toBe('STORE_UNREACHABLE');
    }
    expect(await answered(b)).toBe('1');
    await close();
  });
});
