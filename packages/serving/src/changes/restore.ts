/**
 * Restores every deployment when the node starts, in two steps. First their names and versions are
 * read, before the node listens, so that no caller gets MODEL_UNKNOWN for an existing deployment.
 * Then the versions are loaded. A deployment that cannot be restored is `failed` with its reason
 * until an operator deploys a version again; it does not stop the node. An unloaded one stays unloaded.
 *
 * Models are restored before compositions, because a composition is checked against what it calls.
 */
import { SkeinError } from '@skein/api';
import type { DeploymentRecord, HistoryEntry, VersionRecord } from '@skein/state';
import { newDeployment } from './changes.ts';
import type { ServingContext } from '../context.ts';
import type { DeployedModel } from '../contract.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { DesiredDeployment, Place } from '../follow/placing.ts';
import { leave } from '../follow/residence.ts';
import { bringUp, prepare } from './loading.ts';
import { UNLOADED } from './removal.ts';
import { effectiveSettings } from '../deployment/settings.ts';
import { discard } from './unloading.ts';

export interface StoredDeployment {
  readonly row: DeploymentRecord;
  readonly deployment: Deployment;
  readonly versions: readonly { readonly record: VersionRecord; readonly weight: number }[];
}

/** Reads the deployments of a node without a fleet; none of them serves yet. */
export async function readDeployments(context: ServingContext): Promise<StoredDeployment[]> {
  const { state, registry } = context;
  const rows = await state.deployments();
  return Promise.all(
    rows.map((row) => register(context, row, (version) => registry.version(row.name, version))),
  );
}

/** Makes a deployment known, with what it will serve. */
export async function registerDesired(
  context: ServingContext,
  { row, versions }: DesiredDeployment,
): Promise<StoredDeployment> {
  return register(context, row, async (version) => {
    const record = versions.find((each) => each.version === version);
    if (record !== undefined) return record;
    throw new SkeinError('VERSION_UNKNOWN', `Model "${row.name}" has no version "${version}".`);
  });
}

/** Records the rollouts that the end of this node interrupted, for a node without a fleet. */
export async function noteInterruptions(
  context: ServingContext,
  found: readonly StoredDeployment[],
): Promise<void> {
  await Promise.all(found.map(({ row }) => noteInterruption(context, row)));
}

/** Resolves when each of them serves, is idle, has failed, or is left to other members. */
export async function restoreDeployments(
  context: ServingContext,
  found: readonly StoredDeployment[],
  places?: ReadonlyMap<string, Place>,
): Promise<void> {
  for (const kind of ['onnx', 'composition'] as const) {
    await Promise.all(
      found
        .filter(({ deployment }) => deployment.kind === kind)
        .map((one) => {
          const place = places?.get(one.row.name);
          return place?.isHere === false && one.deployment.stopped === undefined
            ? leave(context, one.deployment, place)
            : restore(context, one);
        }),
    );
  }
}

async function register(
  context: ServingContext,
  row: DeploymentRecord,
  version: (version: string) => Promise<VersionRecord>,
): Promise<StoredDeployment> {
  const found = await find(context, row, version);
  context.deployments.set(row.name, found.deployment);
  return found;
}

async function find(
  context: ServingContext,
  row: DeploymentRecord,
  recordOf: (version: string) => Promise<VersionRecord>,
): Promise<StoredDeployment> {
  const effective = effectiveSettings(row.settings, context.cores);
  const open = (kind: VersionRecord['kind']): Deployment => {
    const deployment = newDeployment(context, row.name, kind, effective);
    deployment.revision = row.revision;
    deployment.updatedAt = row.updatedAt;
    return deployment;
  };
  try {
    const versions = await Promise.all(
      row.targets.map(async ({ version, weight }) => ({
        record: await recordOf(version),
        weight,
      })),
    );
    const deployment = open(versions[0]!.record.kind);
    if (row.unloaded === true) {
      deployment.stop('unloaded', UNLOADED.reason);
      return { row, versions: [], deployment };
    }
    deployment.restoring = describeStored(deployment, versions);
    return { row, versions, deployment };
  } catch (error) {
    const deployment = open('onnx');
    fail(context, deployment, error);
    return { row, versions: [], deployment };
  }
}

/** The model that the deployment will serve, for faces until then. */
function describeStored(
  { name, kind, settings, bounds }: Deployment,
  versions: StoredDeployment['versions'],
): DeployedModel {
  const { record } = versions.reduce((a, b) => (b.weight > a.weight ? b : a));
  return {
    name,
    kind,
    version: record.version,
    versions: versions.map(({ record }) => record.version),
    signature: record.signature,
    ready: false,
    maxBatchRows: 1,
    objectiveMs: settings.objective.latencyMs,
    maxReplicas: bounds.max,
    settings,
  };
}

/** Loads the versions of a registered deployment; one that cannot be loaded makes it `failed`. */
export async function restore(
  context: ServingContext,
  { deployment, versions }: StoredDeployment,
): Promise<void> {
  if (versions.length === 0) return;
  const { settings, bounds } = deployment;
  try {
    const split = await Promise.all(
      versions.map(async ({ record, weight }) => {
        const effective = { settings, replicas: bounds };
        const live = await prepare(context, deployment, record, effective, true);
        deployment.add(live);
        await bringUp(context, deployment, live, bounds.min);
        live.floor = 0;
        return { live, weight };
      }),
    );
    deployment.route(split);
  } catch (error) {
    deployment.failed = deployment.restoring;
    fail(context, deployment, error);
    for (const live of deployment.live.values()) {
      deployment.remove(live);
      await discard(context, live);
    }
  } finally {
    deployment.restoring = undefined;
  }
}

function fail(context: ServingContext, deployment: Deployment, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  deployment.stop('failed', reason);
  context.log('A deployment could not be restored.', { deployment: deployment.name, error });
  context.events.publish({
    kind: 'deployment',
    deployment: deployment.name,
    reason,
    details: { happened: 'failed' },
  });
}

/** The end of the node interrupted a rollout that has neither finished nor been rolled back. */
async function noteInterruption(
  { state, journal }: ServingContext,
  { name, targets }: DeploymentRecord,
): Promise<void> {
  const last = async (kind: HistoryEntry['kind']): Promise<HistoryEntry | undefined> =>
    (await state.history({ deployment: name, kind, limit: 1 }))[0];
  const started = await last('rollout-started');
  if (started === undefined) return;
  const ends = await Promise.all([
    last('rollout-finished'),
    last('rolled-back'),
    last('unloaded'),
    last('undeployed'),
  ]);
  if (ends.some((end) => end !== undefined && end.id > started.id)) return;
  journal.record({
    deployment: name,
    kind: 'rolled-back',
    reason: 'the node stopped during the rollout; the last stable split is back',
    details: { ...started.details, targets },
    actor: 'skein',
  });
}
