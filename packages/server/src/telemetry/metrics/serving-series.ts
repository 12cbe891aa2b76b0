/**
 * Counters per deployment and version. An event costs two map look-ups and additions: nothing is
 * allocated per request.
 *
 * The number of series is bounded. Names come from existing deployments, never from a client:
 * events without a known name are counted under `(other)`. A version without traffic for an hour
 * that is not deployed any more is dropped.
 */
import type { ErrorCode } from '@skein/api';
import type { Instant } from '@skein/serving';
import type { ScalingCause } from '@skein/serving/contract';
import { labelled } from '@skein/http';
import { histogram, type Histogram } from './histogram.ts';
import { objectiveWindow, type ObjectiveWindow } from './objective-window.ts';

export const OTHER = '(other)';
const MAX_DEPLOYMENTS = 500;
const MAX_VERSIONS = 50;
const IDLE_AFTER_MS = 3_600_000;

/** Milliseconds. */
const DURATION_BOUNDS = [
  0.5, 1, 2.5, 5, 10, 25, 50, 75, 100, 150, 250, 350, 500, 750, 1000, 2500, 5000, 10_000, 30_000,
];
const ROW_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

export interface VersionSeries {
  readonly labels: string;
  /** The same with Triton's names. */
  readonly tritonLabels: string;
  /** Milliseconds. */
  readonly totalMs: Histogram;
  readonly queueMs: Histogram;
  readonly computeMs: Histogram;
  /** Sums in milliseconds. */
  inputMs: number;
  outputMs: number;
  /** Rows of each run. */
  readonly batchRows: Histogram;
  answered: number;
  inTime: number;
  cached: number;
  replicaFailures: number;
  /** Steps of the autoscaler, by direction and cause. */
  readonly scalings: Map<`${'up' | 'down'} ${ScalingCause}`, number>;
  lastSeen: Instant;
}

export interface DeploymentSeries {
  readonly labels: string;
  readonly name: string;
  readonly versions: Map<string, VersionSeries>;
  readonly refused: Map<ErrorCode, number>;
  readonly objective: ObjectiveWindow;
  lastSeen: Instant;
}

export function createServingSeries() {
  const deployments = new Map<string, DeploymentSeries>();
  return {
    deployments: deployments as ReadonlyMap<string, DeploymentSeries>,
    deployment(name: string): DeploymentSeries {
      return (
        deployments.get(name) ??
        added(deployments, deployments.size < MAX_DEPLOYMENTS ? name : OTHER, deploymentSeries)
      );
    },
    version(of: DeploymentSeries, version: string): VersionSeries {
      return (
        of.versions.get(version) ??
        added(of.versions, of.versions.size < MAX_VERSIONS ? version : OTHER, (key) =>
          versionSeries(of.name, key),
        )
      );
    },
    /** Drops series that are not deployed and had no event for an hour. */
    dropIdle(isDeployed: (deployment: string, version?: string) => boolean, now: Instant): void {
      for (const [name, deployment] of deployments) {
        for (const [version, series] of deployment.versions) {
          if (now - series.lastSeen > IDLE_AFTER_MS && !isDeployed(name, version)) {
            deployment.versions.delete(version);
          }
        }
        if (
          now - deployment.lastSeen > IDLE_AFTER_MS &&
          deployment.versions.size === 0 &&
          !isDeployed(name)
        ) {
          deployments.delete(name);
        }
      }
    },
  };
}

export type ServingSeries = ReturnType<typeof createServingSeries>;

/** `key` may be OTHER, which may exist already. */
function added<T>(map: Map<string, T>, key: string, make: (key: string) => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make(key)));
  return value;
}

function deploymentSeries(name: string): DeploymentSeries {
  return {
    labels: labelled({ deployment: name }),
    name,
    versions: new Map(),
    refused: new Map(),
    objective: objectiveWindow(),
    lastSeen: 0,
  };
}

function versionSeries(deployment: string, version: string): VersionSeries {
  return {
    labels: labelled({ deployment, version }),
    tritonLabels: labelled({ model: deployment, version }),
    totalMs: histogram(DURATION_BOUNDS),
    queueMs: histogram(DURATION_BOUNDS),
    computeMs: histogram(DURATION_BOUNDS),
    inputMs: 0,
    outputMs: 0,
    batchRows: histogram(ROW_BOUNDS),
    answered: 0,
    inTime: 0,
    cached: 0,
    replicaFailures: 0,
    scalings: new Map(),
    lastSeen: 0,
  };
}
