/** Rollouts over three nodes of one fleet, over one state, in the process of the test. */
import { RolloutPlan, SkeinError } from '@skein/api';
import type { State } from '@skein/state';
import { describe, expect, it, onTestFinished } from 'vitest';
import { feedOf } from '../testing/feed.ts';
import { constant, type Script } from '../testing/scripted-target.ts';
import { ACTOR, codeOf, openScene, request, type Scene } from '../testing/scene.ts';
import type { RolloutPeers } from './peers.ts';

const canary = (more: Partial<RolloutPlan> = {}): RolloutPlan => ({
  ...RolloutPlan.parse({ strategy: 'canary', steps: [50], stepMs: 200, minRequests: 5 }),
  ...more,
});

interface FleetNode {
  readonly name: string;
  readonly scene: Scene;
  /** While true, the store does not answer this node, and the others have lost it: it is paused. */
  paused: boolean;
  /** Answers of the store to writes of this node. */
  refused?: SkeinError | undefined;
  /** Resolves when the store notifies this node of versions that it has not read. */
  notified?: Promise<void>;
}

interface TestFleet {
  readonly nodes: readonly [FleetNode, FleetNode, FleetNode];
  readonly state: State;
  version(script?: Script): Promise<unknown>;
  join(name: string): Promise<FleetNode>;
}

async function openFleet(): Promise<TestFleet> {
  const first = await openScene();
  const feed = feedOf(first);
  const nodes: FleetNode[] = [];

  const peersOf = (self: string): RolloutPeers => ({
    self,
    publish() {},
    async others(deployment) {
      const alive = nodes.filter(({ name, paused }) => name !== self && !paused);
      return new Map(
        alive.map(({ name, scene }) => [name, scene.serving.rolloutReports()[deployment]]),
      );
    },
  });
  async function join(name: string): Promise<FleetNode> {
    const reach = (state: State): State => ({
      ...state,
      async version(...args) {
        await node.notified;
        return state.version(...args);
      },
      async deployment(of) {
        await resumed();
        return state.deployment(of);
      },
      async putDeployment(...args) {
        await resumed();
        if (node.refused !== undefined) throw node.refused;
        return state.putDeployment(...args);
      },
    });
    await feed.read();
    const scene = first.restart({ desired: feed, peers: peersOf(name), reach });
    const node: FleetNode = { name, scene, paused: false };
    const resumed = async (): Promise<void> => {
      while (node.paused) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await scene.serving.start();
    nodes.push(node);
    onTestFinished(async () => {
      node.paused = false;
      await scene.serving.drain();
    });
    return node;
  }
  const trio = [await join('a'), await join('b'), await join('c')] as const;
  const timer = setInterval(() => void feed.read(), 10);
  onTestFinished(() => clearInterval(timer));
  return {
    nodes: [...trio],
    state: first.state,
    version: (script) => first.version('risk', script),
    join,
  };
}

const answer = ({ scene, name }: FleetNode): Promise<string> =>
  scene.serving.infer(request('risk', { id: name })).then(
    ({ version }) => version,
    (error: unknown) => (error instanceof SkeinError ? error.code : String(error)),
  );

/** Polls, and sends requests to the nodes meanwhile. */
async function until(
  condition: () => boolean | Promise<boolean>,
  busy: readonly FleetNode[] = [],
): Promise<void> {
  while (!(await condition())) {
    await Promise.all(busy.map(answer));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const servesOnly = (version: string) => (node: FleetNode) =>
  node.scene.serving
    .views()
    .some(({ targets }) => targets.length === 1 && targets[0]?.version === version);
const phaseOf = ({ scene }: FleetNode) => scene.serving.view('risk').rollout?.phase;

async function deployed(fleet: TestFleet): Promise<void> {
  await fleet.version();
  await fleet.nodes[0].scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
  await until(() => fleet.nodes.every(servesOnly('1')));
}

/** A rollout of version 2 that the third node has read. It has not read the version yet. */
async function begunUnnotified() {
  const fleet = await openFleet();
  await deployed(fleet);
  const [a, , c] = fleet.nodes;
  const notified = Promise.withResolvers<void>();
  c.notified = notified.promise;
  await fleet.version();
  const plan = canary({ stepMs: 3_600_000 });
  const deploying = codeOf(a.scene.serving.deploy({ name: 'risk', version: '2', plan }, ACTOR));
  await until(() => phaseOf(a) === 'warming');
  const row = (await fleet.state.deployment('risk'))!;
  await until(() => c.scene.serving.view('risk').revision === row.revision);
  return { fleet, notified, deploying, row };
}

const kinds = async (fleet: TestFleet): Promise<string[]> =>
  (await fleet.state.history({ deployment: 'risk', limit: 50 })).reverse().map(({ kind }) => kind);

describe('a rollout over a fleet', () => {
  it('gives a version no traffic before it is ready on every node, then to all of them', async () => {
    const fleet = await openFleet();
    await deployed(fleet);
    const loading = Promise.withResolvers<void>();
    await fleet.version({ loading: loading.promise });
    const [a, b, c] = fleet.nodes;
    const deploying = b.scene.serving.deploy({ name: 'risk', version: '2' }, ACTOR);
    await until(() => [a, c].every((node) => node.scene.targets.length === 2), fleet.nodes);
    await until(async () => (await fleet.state.leases.holder('rollout/risk')) !== undefined);
    expect(await Promise.all(fleet.nodes.map(answer))).toEqual(['1', '1', '1']);
    expect(fleet.nodes.map(phaseOf)).toEqual(['warming', 'warming', 'warming']);
    loading.resolve();
    expect((await deploying).targets.map(({ version }) => version)).toEqual(['2']);
    await until(() => fleet.nodes.every(servesOnly('2')), fleet.nodes);
    expect(await Promise.all(fleet.nodes.map(answer))).toEqual(['2', '2', '2']);
    expect(await kinds(fleet)).toEqual(['deployed', 'rollout-started', 'rollout-finished']);
    const revisions = fleet.nodes.map(({ scene }) => scene.serving.view('risk').revision);
    expect(new Set(revisions).size).toBe(1);
  });

  it('takes each step on every node, and ends for all of them', async () => {
    const fleet = await openFleet();
    await deployed(fleet);
    await fleet.version();
    const view = await fleet.nodes[0].scene.serving.deploy(
      { name: 'risk', version: '2', plan: canary() },
      ACTOR,
    );
    expect(view.rollout).toMatchObject({ phase: 'shifting', share: 50 });
    const shares = (node: FleetNode) =>
      node.scene.serving.view('risk').targets.map(({ weight }) => weight);
    await until(() => fleet.nodes.every((node) => shares(node).join() === '50,50'));
    await until(() => fleet.nodes.every(servesOnly('2')), fleet.nodes);
    expect(fleet.nodes.map(phaseOf)).toEqual(['finished', 'finished', 'finished']);
    expect((await kinds(fleet)).filter((kind) => kind === 'rollout-finished')).toHaveLength(1);
  });

  it('rolls back everywhere when one node sees a regression in its share', async () => {
    const fleet = await openFleet();
    await deployed(fleet);
    await fleet.version({
      respond: async ({ id }) => {
        if (id === 'c') throw new SkeinError('INTERNAL', 'Broken on this machine.');
        return constant(2);
      },
    });
    const [a] = fleet.nodes;
    const plan = canary({ stepMs: 3_600_000, minRequests: 20 });
    await a.scene.serving.deploy({ name: 'risk', version: '2', plan }, ACTOR);
    await until(() => fleet.nodes.every((node) => phaseOf(node) === 'rolled-back'), fleet.nodes);
    for (const node of fleet.nodes) {
      expect(servesOnly('1')(node)).toBe(true);
      expect(node.scene.serving.view('risk').rollout?.reason).toContain('requests failed');
    }
    const leading = await Promise.all(
      fleet.nodes.map(({ scene }) => scene.serving.evidence('risk')),
    );
    const seen = leading.find((each) => each?.members.length === 3);
    expect(seen).toMatchObject({ opinion: 'bad', rollout: { phase: 'rolled-back' } });
    const byMember = new Map(seen?.members.map((each) => [each.member, each]));
    expect(byMember.get('c')?.candidate?.errors).toBeGreaterThan(0);
    expect(byMember.get('a')?.candidate?.errors).toBe(0);
  });

  it('is not resumed by a node that reads its version after its end', async () => {
    const { fleet, notified, deploying, row } = await begunUnnotified();
    const [a, , c] = fleet.nodes;
    const begun = row.revision;
    // While it asks for the version, it reads the end of the rollout.
    await a.scene.serving.rollback('risk', 'changed my mind', ACTOR);
    expect(await deploying).toBe('ROLLED_BACK');
    notified.resolve();
    await until(() => c.scene.serving.view('risk').revision === begun + 1);
    expect(c.scene.serving.rolloutReports()['risk']).toBeUndefined();
    expect((await kinds(fleet)).filter((kind) => kind === 'rolled-back')).toHaveLength(1);
  });

  it('leaves the version that serves alone when its replicas are replaced while a node reads it', async () => {
    const { fleet, notified, deploying, row } = await begunUnnotified();
    const [a, , c] = fleet.nodes;
    const { name, settings, targets, revision } = row;
    // Version 1 takes long to load with its new settings.
    const loading = Promise.withResolvers<void>();
    Object.assign(c.scene.targets[0]!.script, { loading: loading.promise });
    const changed = { name, targets, settings: { ...settings, maxQueue: 9 } };
    await fleet.state.putDeployment(changed, revision);
    await until(() => a.scene.targets.length > 2);
    notified.resolve();
    await until(() => c.scene.targets.length > 1);
    loading.resolve();
    expect(await deploying).toBe('ROLLED_BACK');
    await until(() => fleet.nodes.every(servesOnly('1')), fleet.nodes);
    await until(() =>
      fleet.nodes.every(({ scene }) => scene.serving.view('risk').settings.maxQueue === 9),
    );
    expect(await Promise.all(fleet.nodes.map(answer))).toEqual(['1', '1', '1']);
  });

  it.each(['STORE_UNREACHABLE', 'STORE_REPLACED'] as const)(
    'keeps its share while the store answers steps with %s, and ends once',
    async (code) => {
      const fleet = await openFleet();
      await deployed(fleet);
      await fleet.version();
      const [a] = fleet.nodes;
      const deploying = codeOf(
        a.scene.serving.deploy({ name: 'risk', version: '2', plan: canary() }, ACTOR),
      );
      await until(() => fleet.nodes.every((node) => phaseOf(node) === 'shifting'));
      for (const node of fleet.nodes)
        node.refused = new SkeinError(code, 'The store is another one.');
      const over = performance.now() + 600;
      await until(() => performance.now() > over, fleet.nodes);
      expect(fleet.nodes.map(phaseOf)).toEqual(['shifting', 'shifting', 'shifting']);
      for (const node of fleet.nodes) node.refused = undefined;
      await until(() => fleet.nodes.every(servesOnly('2')), fleet.nodes);
      await deploying;
      const ends = (await kinds(fleet)).filter((kind) => /finished|rolled-back/.test(kind));
      expect(ends).toEqual(['rollout-finished']);
    },
  );

  it('is ended by an operator on any node', async () => {
    const fleet = await openFleet();
    await deployed(fleet);
    await fleet.version();
    const [a, b] = fleet.nodes;
    const plan = canary({ stepMs: 3_600_000 });
    await a.scene.serving.deploy({ name: 'risk', version: '2', plan }, ACTOR);
    await until(() => phaseOf(b) === 'shifting');
    await b.scene.serving.rollback('risk', 'changed my mind', ACTOR);
    await until(() => fleet.nodes.every(servesOnly('1')));
    expect(a.scene.serving.view('risk').rollout).toMatchObject({
      phase: 'rolled-back',
      reason: 'changed my mind',
    });
  });

  it('is refused on every node when the version cannot start on one', async () => {
    const fleet = await openFleet();
    await deployed(fleet);
    await fleet.version({ loadError: new SkeinError('DEVICE_UNAVAILABLE', 'No CUDA.') });
    const deploying = fleet.nodes[0].scene.serving.deploy({ name: 'risk', version: '2' }, ACTOR);
    expect(await codeOf(deploying)).toMatch(/DEVICE_UNAVAILABLE|ROLLED_BACK/);
    await until(() => fleet.nodes.every((node) => phaseOf(node) !== 'warming'));
    await until(() => fleet.nodes.every(servesOnly('1')));
    const { reason } = (await fleet.state.deployment('risk'))!.rollout!;
    expect(reason).toMatch(/^on member [abc]: No CUDA/);
  });

  it('is continued by another member when its leader is paused, which follows when it is back', async () => {
    const fleet = await openFleet();
    await deployed(fleet);
    await fleet.version();
    const [a, b, c] = fleet.nodes;
    const plan = canary({ steps: [50], stepMs: 100, minRequests: 5 });
    await a.scene.serving.deploy({ name: 'risk', version: '2', plan }, ACTOR);
    await until(() => [b, c].every((node) => phaseOf(node) === 'shifting'));
    const holder = await fleet.state.leases.holder('rollout/risk');
    const leader = fleet.nodes.find(({ name }) => name === holder)!;
    leader.paused = true;
    const others = fleet.nodes.filter((node) => node !== leader);
    await until(() => others.every(servesOnly('2')), others);
    expect(servesOnly('2')(leader)).toBe(false);
    const { revision } = (await fleet.state.deployment('risk'))!;
    leader.paused = false;
    await until(() => servesOnly('2')(leader), [leader]);
    expect((await fleet.state.deployment('risk'))!.revision).toBe(revision);
    const ends = (await kinds(fleet)).filter((kind) => /finished|rolled-back/.test(kind));
    expect(ends).toEqual(['rollout-finished']);
  }, 30_000);

  it('is joined at its step by a node that starts in the middle of it', async () => {
    const fleet = await openFleet();
    await deployed(fleet);
    await fleet.version();
    const plan = canary({ stepMs: 3_600_000 });
    await fleet.nodes[0].scene.serving.deploy({ name: 'risk', version: '2', plan }, ACTOR);
    const d = await fleet.join('d');
    await until(
      () => phaseOf(d) === 'shifting' && d.scene.serving.view('risk').targets.length === 2,
    );
    expect(d.scene.serving.view('risk').targets.map(({ weight }) => weight)).toEqual([50, 50]);
    await fleet.nodes[1].scene.serving.rollback('risk', 'enough', ACTOR);
    await until(() => servesOnly('1')(d));
  });

  it('outlives the node that started it, when that node ends in order', async () => {
    const fleet = await openFleet();
    await deployed(fleet);
    await fleet.version();
    const [a, b, c] = fleet.nodes;
    await a.scene.serving.deploy({ name: 'risk', version: '2', plan: canary() }, ACTOR);
    await until(() => [b, c].every((node) => phaseOf(node) === 'shifting'));
    await a.scene.serving.drain();
    a.paused = true;
    await until(() => [b, c].every(servesOnly('2')), [b, c]);
    expect([b, c].map(phaseOf)).toEqual(['finished', 'finished']);
  });
});
