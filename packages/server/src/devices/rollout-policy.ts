/**
 * A staged rollout of a bundle: which devices may install a version, and when their evidence halts it. Pure functions.
 *
 *   running ──the evidence is bad, or the operator halts it──▶ halted ──resumed──▶ running, with new evidence
 *
 * The node only holds back: a device installs nothing that its publisher has not signed, and never an older version. So
 * a halt stops further devices; those that have the version keep it, or have gone back by themselves.
 *
 * Two questions decide. Does the version fail to install, or not survive its trial, on more devices than the plan allows?
 * And do its answers fail, or come late, more often than before, over all devices or on one? The
 * second is the judgement of every rollout (`weigh`); both use its test against bad luck.
 */
import { RolloutPlan, type DevicePermission, type DeviceReport } from '@skein/api';
import { BUCKETS, bucketOf, digestOf, type LatencyDigest } from '@skein/api/latency-buckets';
import {
  isImprobable,
  NOTHING,
  p99Of,
  type RolloutWindow,
  stickyPosition,
  weigh,
  evidenceOf,
  type Counts,
} from '@skein/serving/rollout-policy';
import type { DeviceEvidence, StoredDevice, StoredDeviceRollout } from '@skein/state';

/** The same quantile as in the objectives of deployments. */
const QUANTILE = 0.99;

export interface SeenDevice {
  readonly device: StoredDevice;
  readonly report: Pick<DeviceReport, 'version' | 'failed'>;
  readonly evidence: DeviceEvidence | undefined;
}

/** Whether a device is among those that may have the version: by its labels, and by a stable hash of its id. */
export function isIncluded(
  { labels, share, model, version }: StoredDeviceRollout,
  device: StoredDevice,
): boolean {
  const hasLabels = Object.entries(labels).every(([name, value]) => device.labels[name] === value);
  return hasLabels && stickyPosition(device.id, `${model}@${version}`) < share / 100;
}

export function permissionOf(rollout: StoredDeviceRollout, device: StoredDevice): DevicePermission {
  const { version, share, labels, phase, reason } = rollout;
  if (phase === 'halted') {
    return {
      upTo: version - 1,
      first: false,
      why: `the rollout of version ${version} is halted: ${reason}`,
    };
  }
  const called = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const whom = `${share} % of the devices${called.length === 0 ? '' : ` with ${called.join(', ')}`}`;
  if (isIncluded(rollout, device)) {
    return {
      upTo: version,
      first: true,
      why: `version ${version} is for ${whom}, and this is one of them`,
    };
  }
  return {
    upTo: version - 1,
    first: true,
    why: `version ${version} is for ${whom}, and this is none of them`,
  };
}

/** Adds a report to the evidence of its device. Evidence from another rollout is dropped. */
export function gathered(
  before: DeviceEvidence | undefined,
  rollout: StoredDeviceRollout,
  earlier: Pick<DeviceReport, 'failed'> | undefined,
  report: DeviceReport,
): DeviceEvidence {
  const { version } = rollout;
  const hasFailed = (of: Pick<DeviceReport, 'failed'> | undefined): boolean =>
    of?.failed.some((each) => each.version === version) ?? false;
  const isSame = before?.rollout === rollout.id;
  let { candidate, stable } = isSame ? before : { candidate: NOTHING, stable: NOTHING };
  let latency: DeviceEvidence['latency'] = isSame ? before.latency : { candidate: [], stable: [] };
  for (const each of report.counts) {
    if (each.version > version) continue;
    const counts = countsOf(each, rollout.objectiveMs);
    if (each.version === version) {
      candidate = sum(candidate, counts);
      latency = { ...latency, candidate: merged(latency.candidate, each.latency) };
    } else {
      stable = sum(stable, counts);
      latency = { ...latency, stable: merged(latency.stable, each.latency) };
    }
  }
  // A failure from before the rollout, or from before it was resumed, is no evidence.
  const excused = isSame ? before.excused : hasFailed(earlier);
  return { rollout: rollout.id, excused, candidate, stable, latency };
}

export interface DeviceVerdict {
  readonly opinion: 'good' | 'bad' | 'doubtful' | 'unknown';
  readonly reason: string;
  /** Devices that have the version, or have failed to keep it, since the rollout began. */
  readonly installed: number;
  readonly failed: number;
  readonly candidate: Counts;
  readonly stable: Counts;
  readonly candidateP99Ms: number | null;
  readonly stableP99Ms: number | null;
}

export function judgeDevices(
  rollout: StoredDeviceRollout,
  seen: readonly SeenDevice[],
): DeviceVerdict {
  const { version, maxErrorShare, minRequests } = rollout;
  const own = seen.filter(({ evidence }) => evidence?.rollout === rollout.id);
  const failed = own.filter(
    ({ report, evidence }) =>
      !evidence!.excused && report.failed.some((each) => each.version === version),
  ).length;
  const installed = own.filter(({ report }) => report.version === version).length;
  const windows = new Map(
    own.map(({ device, evidence }): [string, RolloutWindow] => {
      const { candidate, stable, latency } = evidence!;
      return [device.name, { step: 0, candidate, stable, latency }];
    }),
  );
  const plan = RolloutPlan.parse({ strategy: 'canary', steps: [100], minRequests, maxErrorShare });
  const { candidate, stable } = evidenceOf(windows, 0);
  const { candidateMs, stableMs } = p99Of(windows, 0);
  const common = {
    installed,
    failed,
    candidate,
    stable,
    candidateP99Ms: candidateMs,
    stableP99Ms: stableMs,
  };
  const tried = installed + failed;
  const isTooMany = failed > tried * maxErrorShare;
  if (isTooMany) {
    const reason = `it failed on ${failed} of ${tried} devices`;
    const opinion = isImprobable(failed, tried, maxErrorShare) ? 'bad' : 'doubtful';
    if (opinion === 'bad') return { ...common, opinion, reason };
  }
  const verdict = weigh(windows, 0, plan, QUANTILE);
  if (verdict.opinion !== 'bad' && isTooMany) {
    return { ...common, opinion: 'doubtful', reason: `it failed on ${failed} of ${tried} devices` };
  }
  return { ...common, ...verdict };
}

/** @param objectiveMs absent: the device's own deadlines count. */
function countsOf(
  { requests, errors, late, latency }: DeviceReport['counts'][number],
  objectiveMs: number | undefined,
): Counts {
  if (objectiveMs === undefined) return { requests, errors, late, odd: 0 };
  const limit = bucketOf(objectiveMs);
  let over = 0;
  for (let i = 0; i + 1 < latency.length; i += 2) if (latency[i]! > limit) over += latency[i + 1]!;
  return { requests, errors, late: over, odd: 0 };
}

const sum = (a: Counts, b: Counts): Counts => ({
  requests: a.requests + b.requests,
  errors: a.errors + b.errors,
  late: a.late + b.late,
  odd: a.odd + b.odd,
});

function merged(a: LatencyDigest, b: LatencyDigest): number[] {
  const histogram = new Uint32Array(BUCKETS);
  for (const digest of [a, b]) {
    for (let i = 0; i + 1 < digest.length; i += 2) {
      if (digest[i]! < BUCKETS) histogram[digest[i]!]! += digest[i + 1]!;
    }
  }
  return [...digestOf(histogram)];
}
