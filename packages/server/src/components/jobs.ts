/** The jobs of a node, with what is measured of them. */
import type { ShareOf } from '@skein/api/shared-budget';
import { createWorkerScale, type JobPlane, openJobPlane, type WorkerScale } from '@skein/jobs';
import { createJobMetrics, type JobMetrics } from '../telemetry/metrics/job-page.ts';
import type { Opening } from './component.ts';
import type { SharedState } from './shared-state.ts';

export interface JobComponent {
  /** The store is a thread that takes time to start. */
  readonly opening: Promise<JobPlane>;
  readonly metrics: JobMetrics;
  /** The workers that each queue needs, for the metrics and the API. */
  readonly scale: WorkerScale;
  /** Shares of tenants, known once the keys have been read; no caller exists before. */
  shareBy(shareOf: ShareOf): void;
  /** Keeps the artifacts that these values name. */
  keepNamed(names: () => Promise<unknown>): void;
  /** Refuses calls on other contents than those that this node follows. */
  follow(shared: Pick<SharedState, 'cursor'> | undefined): void;
}

/** Returns at once, so that the rest of the node opens meanwhile. */
export function openJobs({ options, logger, lifecycle }: Opening, folder: string): JobComponent {
  const { queues = ['default'], redis, blobs, namespace } = options;
  const { cores, keptFreeBytes, cacheBytes, maxArtifactsBytes } = options;
  const scale = createWorkerScale();
  const metrics = createJobMetrics(queues, scale);
  let shareOf: ShareOf = () => 1;
  // Never called before the node is open: a sweep comes an hour later.
  let otherNames = async (): Promise<unknown> => [];
  let followed: Pick<SharedState, 'cursor'> | undefined;
  const opening = openJobPlane({
    folder,
    queues,
    redis,
    cursor: () => followed?.cursor(),
    // A node that holds the state of its fleet serves without the store; another one does not start.
    mayBeAway: true,
    blobs,
    namespace,
    cores,
    keptFreeBytes,
    cacheBytes,
    maxArtifactsBytes,
    shareOf: (tenant) => shareOf(tenant),
    otherNames: () => otherNames(),
    onPickup: (waitedMs) => metrics.pickedUp(waitedMs),
    log: (level, message, details) => logger[level](details ?? {}, message),
  });
  // The caller awaits it later; a failure before that is no unhandled rejection.
  opening.catch(() => {});
  lifecycle.open('jobs', async (by) => (await opening.catch(() => undefined))?.drain(by));
  return {
    opening,
    metrics,
    scale,
    shareBy: (share) => (shareOf = share),
    keepNamed: (names) => (otherNames = names),
    follow: (shared) => (followed = shared),
  };
}
