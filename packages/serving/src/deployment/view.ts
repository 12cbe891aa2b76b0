/** The view of a deployment in the API, the CLI and the console, built from snapshots. */
import type { DeploymentView, RolloutView } from '@skein/api';
import type { Signature } from '@skein/onnx';
import type { Instant, TargetSnapshot } from '../contract.ts';
import type { Deployment } from './deployment.ts';
import { readyReplicas, type LiveTarget } from './live-target.ts';
import { shareOf, type Rollout } from '../rollout/rollout.ts';

type TargetView = DeploymentView['targets'][number];

export function viewOf(deployment: Deployment, now: Instant): DeploymentView {
  const snapshots = new Map<LiveTarget, TargetSnapshot>();
  for (const live of deployment.live.values()) snapshots.set(live, live.target.snapshot());
  const main = deployment.main;
  return {
    name: deployment.name,
    kind: deployment.kind,
    ...statusOf(deployment, snapshots),
    revision: deployment.revision,
    settings: deployment.settings,
    signature: signatureOf(main?.target.signature ?? deployment.elsewhere?.model.signature),
    targets: [...snapshots].map(([live, snapshot]) => targetView(live, snapshot)),
    ...rolloutView(deployment),
    last: deployment.observer.lastMinute(now),
    updatedAt: deployment.updatedAt,
  };
}

function statusOf(
  { stopped, behind, restoring, elsewhere, leaving, split, main }: Deployment,
  snapshots: ReadonlyMap<LiveTarget, TargetSnapshot>,
): Pick<DeploymentView, 'status' | 'reason'> {
  if (stopped !== undefined) return stopped;
  const place = elsewhere?.place ?? leaving;
  if (place !== undefined) return { status: 'elsewhere', reason: place.reason };
  if (restoring !== undefined) return { status: 'starting', reason: 'it is being restored' };
  if (main === undefined) return { status: 'starting', reason: 'the first version is loading' };
  const reason = behind ?? main.reason;
  if (split.every(({ wanted }) => wanted === 0)) return { status: 'idle', reason };
  const serving = split.map((live) => snapshots.get(live) ?? live.target.snapshot());
  if (serving.some((snapshot) => readyReplicas(snapshot) > 0)) return { status: 'ready', reason };
  const replicas = serving.flatMap((snapshot) => snapshot.replicas);
  const failed = replicas.findLast(({ failure }) => failure !== undefined)?.failure;
  const starting = replicas.some(({ state }) => state === 'loading' || state === 'warming');
  if (failed !== undefined && !starting) return { status: 'failed', reason: failed };
  return { status: 'starting', reason: 'no replica is ready yet' };
}

function targetView(live: LiveTarget, snapshot: TargetSnapshot): TargetView {
  return {
    version: live.record.version,
    weight: live.weight,
    digest: live.record.digest,
    replicas: snapshot.replicas.map(({ id, state, busy, isolation, runs, failure }) => ({
      id,
      state,
      busy,
      ...(isolation === undefined ? {} : { isolation }),
      runs,
      ...(failure === undefined ? {} : { failure }),
    })),
    queuedRequests: snapshot.queuedRequests,
    inFlightRows: snapshot.inFlightRows,
    predictedDelayMs: finite(snapshot.predictedDelayMs),
    answered: snapshot.answered,
    answeredInTime: snapshot.answeredInTime,
    refused: { ...snapshot.refused },
    latencies: snapshot.latencies.map(({ rows, p50Ms, p99Ms, runs }) => ({
      rows,
      p50Ms,
      p99Ms,
      runs,
    })),
    ...(snapshot.evidence === undefined ? {} : { evidence: { ...snapshot.evidence } }),
  };
}

function rolloutView(deployment: Deployment): Pick<DeploymentView, 'rollout'> {
  const { rollout } = deployment;
  return rollout === undefined ? {} : { rollout: rolloutViewOf(deployment, rollout) };
}

export function rolloutViewOf(
  { rolloutStartedAt, shadow, comparison }: Deployment,
  rollout: Rollout,
): RolloutView {
  const { plan, from, to, phase, reason } = rollout;
  const seen = shadow?.comparison ?? comparison;
  return {
    strategy: plan.strategy,
    fromVersion: from.reduce((a, b) => (b.weight > a.weight ? b : a)).version,
    toVersion: to,
    phase,
    share: shareOf(rollout),
    reason,
    startedAt: rolloutStartedAt,
    ...(seen === undefined ? {} : { comparison: seen }),
  };
}

function signatureOf(signature: Signature | undefined): DeploymentView['signature'] {
  const copy = (specs: Signature['inputs']) =>
    specs.map(({ name, type, shape }) => ({ name, type, shape: [...shape] }));
  return { inputs: copy(signature?.inputs ?? []), outputs: copy(signature?.outputs ?? []) };
}

/** JSON has no infinity, so the largest number stands for an infinite wait. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.MAX_VALUE;
}
