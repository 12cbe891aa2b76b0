/**
 * A Skein node: the list of its components, opened in the order of their dependencies and stopped in the
 * reverse order. It makes no decisions of its own.
 *
 *   data folder → shared state → storage, jobs → callers → inference → fleet → faces
 */
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { usableThreads } from '@skein/api/machine';
import { openCertificates } from '@skein/http';
import { nativeRuntime } from '@skein/runtime';
import { type DataFolder, openDataFolder } from '@skein/state';
import type { AccessMode } from './access/access.ts';
import { tuneCollector } from './collector.ts';
import { countLanguageUse } from './language/use.ts';
import { startWithin } from './lifecycle.ts';
import { openCallers } from './components/callers.ts';
import { openFaces } from './components/faces.ts';
import { openFederations } from './components/federations.ts';
import { openFleet } from './components/fleet.ts';
import { advertisedUrl } from './components/forwarding.ts';
import { type InferenceComponent, openInference } from './components/inference.ts';
import { openJobs } from './components/jobs.ts';
import { openLanguageModels } from './components/language-models.ts';
import { NODE_DEFAULTS, type NodeOptions } from './components/options.ts';
import type { Opening } from './components/component.ts';
import { openSharedState } from './components/shared-state.ts';
import { openStorage, requireBlobs } from './components/storage.ts';
import { createLogger } from './telemetry/log.ts';

export interface RunningNode {
  readonly url: string;
  /** `host:port` of the gRPC face. */
  readonly grpcUrl: string;
  readonly access: AccessMode;
  /** Answers the accepted requests, then stops everything, within `graceMs` and half a second. Idempotent. */
  drain(): Promise<void>;
}

const DEFAULT_GRACE_MS = 30_000;
/** How long jobs wait for the models of a node that starts, in milliseconds: loading may take minutes. */
const MODELS_FIRST_MS = 2_000;

/**
 * Starts a node and restores its deployments; resolves when each of them is ready, idle or failed.
 *
 * @throws SkeinError DATA_FOLDER_LOCKED, DATA_FOLDER_UNUSABLE, PORT_IN_USE, KEYS_REQUIRED,
 *   STORAGE_FULL, TLS_INVALID, FILE_UNREADABLE, NODE_DRAINING if it was aborted meanwhile; it has
 *   stopped then.
 */
export async function startNode(given: NodeOptions): Promise<RunningNode> {
  const options = { ...NODE_DEFAULTS, ...given };
  const { signal, graceMs = DEFAULT_GRACE_MS } = options;
  const logger = createLogger(options.log, options.logLevel);
  const late = (component: string, error?: unknown): void => {
    if (error === undefined) logger.warn({ component }, 'A component did not stop in time.');
    else logger.warn({ component, err: error }, 'A component failed to stop.');
  };
  return startWithin({ signal, graceMs, late }, (lifecycle) =>
    openComponents({ options, logger, lifecycle, clock: { now: () => performance.now() } }),
  );
}

async function openComponents(opening: Opening): Promise<RunningNode> {
  const { options, logger, lifecycle } = opening;
  requireBlobs(options);
  tuneCollector();
  const cores = options.cores ?? usableThreads();
  const certificates = options.tls && (await openCertificates(options.tls, logger));
  lifecycle.open('certificates', () => certificates?.close());
  const folder = await openDataFolder(options.dataFolder);
  lifecycle.open('folder', () => folder.close());
  // The thread of the first model starts while the databases open.
  const first = (await holdsModels(folder)) ? nativeRuntime.prepare?.() : undefined;
  lifecycle.open('first thread', () => first?.release());
  const jobComponent = openJobs(opening, folder.root);
  const shared = await openSharedState(opening, folder);
  jobComponent.follow(shared);
  const storage = await openStorage(opening, folder, shared);
  const callers = await openCallers(opening, storage.state, shared);
  jobComponent.shareBy(callers.shareOf);
  jobComponent.keepNamed(() => storage.dataSets.manifests());
  const jobs = await jobComponent.opening;

  const { bodies, rpcs, eventStreams, requests } = callers;
  const budgets = [
    bodies,
    requests,
    rpcs.connections,
    rpcs.streams,
    jobs.artifactBytes,
    eventStreams,
  ];
  const jobMetrics = jobComponent.metrics;
  const fleet = await openFleet(opening, storage, shared, () => plane);
  const use = countLanguageUse(storage.state, logger);
  const plane: InferenceComponent = await openInference(opening, {
    peers: shared && fleet.peers,
    placing: fleet.placing,
    storage,
    callers,
    shared,
    certificates,
    members: fleet.membership,
    cores,
    budgets,
    expose(page) {
      jobMetrics.expose(page);
      shared?.expose(page);
      fleet.expose(page);
      plane.forwarding?.expose(page);
      certificates?.expose(page);
      use.expose(page);
      languageModels.expose(page);
    },
  });
  const languageModels = openLanguageModels(opening, { storage, callers, plane, use });
  const federations = await openFederations(opening, { folder, registry: storage.registry });
  const faces = openFaces(opening, {
    languageModels,
    fleet,
    federations,
    folder,
    storage,
    callers,
    shared,
    plane,
    jobs,
    jobMetrics,
    workerScale: jobComponent.scale,
    certificates,
    budgets,
    cores,
  });
  const { url, grpcUrl } = await faces.listen();
  lifecycle.onAbort(() => plane.serving.stopChanges());
  const joined = fleet.start(advertisedUrl(options, url));
  // A member of a fleet loads models that depend on the others.
  if (fleet.placing !== undefined) await joined;
  const restored = Promise.all([plane.serving.start(), joined]);
  // Before the faces close: the other members must know that this one leaves.
  lifecycle.open('membership', () => fleet.close());
  // The worker tries its sandboxes, which takes the cores for a second: the models come first.
  await Promise.race([restored, sleep(MODELS_FIRST_MS, undefined, { ref: false })]);
  jobs.work();
  await restored;
  fleet.ready();
  federations.resume();
  faces.restored();
  await first?.release();
  return { url, grpcUrl, access: callers.mode, drain: () => lifecycle.drain() };
}

async function holdsModels({ artifactsPath }: DataFolder): Promise<boolean> {
  return (await readdir(artifactsPath)).length > 0;
}
