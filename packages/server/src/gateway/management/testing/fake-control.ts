/**
 * A deployment control that records its calls and runs nothing: the management API can be tested at
 * its own boundary, including every refusal, without loading a model.
 */
import { SkeinError, type DeploymentView, type RolloutEvidence } from '@skein/api';
import type { DeploymentControl, Registry } from '@skein/serving';
import type { State, VersionRecord } from '@skein/state';
import { mergeSettings } from '../../../../../serving/src/deployment/settings.ts';
import { TrafficHistory } from '../../../../../serving/src/monitoring/traffic-history.ts';

export interface FakeControl extends DeploymentControl {
  /** Changes a view from outside, as traffic would. */
  alter(name: string, change: (view: DeploymentView) => DeploymentView): void;
  /** The evidence of rollouts, by deployment. */
  readonly evidences: Map<string, RolloutEvidence>;
}

const CORES = 4;

/** @param changed called after each change, as the event bus would be. */
export function createFakeControl(
  registry: Pick<Registry, 'version'>,
  state: Pick<State, 'addHistory'>,
  changed: () => void,
): FakeControl {
  const views = new Map<string, DeploymentView>();
  const before = new Map<string, DeploymentView>();
  const evidences = new Map<string, RolloutEvidence>();

  function known(name: string): DeploymentView {
    const view = views.get(name);
    if (view === undefined) {
      throw new SkeinError('MODEL_UNKNOWN', `No deployment is called "${name}".`);
    }
    return view;
  }

  async function put(
    view: DeploymentView,
    kind: Parameters<State['addHistory']>[0]['kind'],
    reason: string,
    actor: string,
  ): Promise<DeploymentView> {
    const previous = views.get(view.name);
    if (previous !== undefined) before.set(view.name, previous);
    views.set(view.name, view);
    await state.addHistory({ deployment: view.name, kind, reason, details: {}, actor });
    changed();
    return view;
  }

  return {
    evidences,
    check({ name, settings }) {
      mergeSettings(views.get(name)?.settings, settings, CORES);
    },
    async deploy({ name, version, settings }, actor) {
      const record = await registry.version(name, version);
      const current = views.get(name);
      const merged = mergeSettings(current?.settings, settings, CORES).settings;
      const view = viewOf(record, merged, (current?.revision ?? 0) + 1);
      return put(view, 'deployed', `Version ${version} was deployed.`, actor);
    },
    async evidence(name) {
      known(name);
      return evidences.get(name) ?? null;
    },
    async changeSettings(name, settings, actor) {
      const view = known(name);
      const merged = mergeSettings(view.settings, settings, CORES).settings;
      const next = { ...view, settings: merged, revision: view.revision + 1 };
      return put(next, 'settings-changed', 'Settings were changed.', actor);
    },
    async rollback(name, reason, actor) {
      known(name);
      const earlier = before.get(name);
      if (earlier === undefined) {
        throw new SkeinError('NOTHING_TO_ROLL_BACK', `"${name}" has no earlier state.`);
      }
      return put(earlier, 'rolled-back', reason, actor);
    },
    async unload(name, actor) {
      const view = { ...known(name), status: 'unloaded' as const, targets: [] };
      await put(view, 'unloaded', 'It was asked for.', actor);
    },
    async undeploy(name, actor) {
      known(name);
      views.delete(name);
      await state.addHistory({
        deployment: name,
        kind: 'undeployed',
        reason: 'It was asked for.',
        details: {},
        actor,
      });
      changed();
    },
    view: known,
    views: () => [...views.values()],
    traffic(name, range) {
      known(name);
      const history = new TrafficHistory(0);
      for (let minute = 0; minute < 90; minute += 1) {
        const now = minute * 60_000;
        for (let i = 0; i < 60; i += 1) history.answered(20 + (minute % 7), true, now + i);
        history.refused(true, now + 100);
      }
      return { range, points: history.points(range, 90 * 60_000, Date.now()) };
    },
    alter(name, change) {
      views.set(name, change(known(name)));
    },
  };
}

function viewOf(
  record: VersionRecord,
  settings: DeploymentView['settings'],
  revision: number,
): DeploymentView {
  const spec = ({ name, type, shape }: VersionRecord['signature']['inputs'][number]) => ({
    name,
    type,
    shape: [...shape],
  });
  return {
    name: record.model,
    kind: record.kind,
    status: 'ready',
    reason: 'A replica is ready.',
    revision,
    settings,
    signature: {
      inputs: record.signature.inputs.map(spec),
      outputs: record.signature.outputs.map(spec),
    },
    targets: [
      {
        version: record.version,
        weight: 1,
        digest: record.digest,
        replicas: [{ id: 'r1', state: 'ready', busy: false, runs: 0 }],
        queuedRequests: 0,
        inFlightRows: 0,
        predictedDelayMs: 0,
        answered: 0,
        answeredInTime: 0,
        refused: {},
        latencies: [{ rows: 1, p50Ms: 1, p99Ms: 2, runs: 3 }],
      },
    ],
    last: {
      requestsPerSecond: 0,
      goodputPerSecond: 0,
      sloAttainment: null,
      p50Ms: null,
      p99Ms: null,
      shedPerSecond: 0,
    },
    updatedAt: '2030-01-01T00:00:00.000Z',
  };
}
