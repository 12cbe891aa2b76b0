/**
 * A Skein node: creates its components, starts them in the order of their dependencies, and stops
 * them in the reverse order. It makes no decisions of its own.
 *
 *   data folder → state, artifacts → registry → serving → faces
 */
import { SkeinError, type NodeView } from '@skein/api';
import { usableThreads } from '@skein/api/machine';
import { nativeRuntime } from '@skein/runtime';
import type { SharedBudget, ShareOf } from '@skein/api/shared-budget';
import {
  bodyBudget,
  DEFAULT_LIMITS,
  defaultBodyBudget,
  eventStreamBudget,
  MAX_EVENT_STREAMS,
  openCertificates,
  type TlsFiles,
} from '@skein/http';
import { openJobPlane } from '@skein/jobs';
import { type Clock, createRegistry, createServing, describeComposition } from '@skein/serving';
import {
  createDiskRoom,
  createRuns,
  openDataFolder,
  openFileArtifacts,
  openState,
  withReserve,
} from '@skein/state';
import { createAccess, type AccessMode } from './access/access.ts';
import { accessModeFor } from './access/exposure.ts';
import { openKeyRing } from './access/key-ring.ts';
import { tuneCollector } from './collector.ts';
import { auditInto } from './access/audit-trail.ts';
import { grpcBudgets, GRPC_LIMITS } from './gateway/grpc/limits.ts';
import { createGrpcGateway } from './gateway/grpc/gateway.ts';
import { facesOf } from './gateway/faces.ts';
import { createHttpGateway } from './gateway/http/gateway.ts';
import { createManagement } from './gateway/management/management.ts';
import { createModelRepository } from './gateway/oip/repository.ts';
import { createModelStatistics } from './gateway/oip/statistics.ts';
import { PayloadCodec } from './gateway/oip/payload-codec.ts';
import { recordRefusedLogins } from './access/refused-logins.ts';
import { accessLog } from './telemetry/access-log.ts';
import { stopComponents, type Component } from './shutdown.ts';
import { createLogger, type LogFormat, type LogLevel } from './telemetry/log.ts';
import { createJobMetrics } from './telemetry/metrics/job-page.ts';
import { createMetrics } from './telemetry/metrics/metrics.ts';
import { combineObservers } from './telemetry/observer.ts';
import { startTracing } from './telemetry/traces/tracing.ts';
import { VERSION } from './version.ts';

export interface NodeOptions {
  /** Address to listen on; anything but loopback requires API keys. */
  readonly host: string;
  /** HTTP port; 0 takes any free one. */
  readonly port: number;
  /** Whether another port may be used if `port` is taken. */
  readonly portIsDefault: boolean;
  readonly grpcPort: number;
  readonly grpcPortIsDefault: boolean;
  /** Folder of all data of the node, usually `.skein`. */
  readonly dataFolder: string;
  /** Largest request body, in bytes. */
  readonly maxBodyBytes: number;
  /** Largest sum of the bodies of all requests in flight, in bytes. Default: an eighth of the memory. */
  readonly maxBodiesInFlightBytes?: number;
  /** Longest time that a request body may take to arrive, in milliseconds. Default: 30 s. */
  readonly bodyTimeoutMs?: number;
  /** HTTP connections that are kept open at once. Default: 1024. */
  readonly maxConnections?: number;
  readonly log: LogFormat;
  /** Lowest level that is logged; default `info`. */
  readonly logLevel?: LogLevel;
  /** Both faces serve TLS with these; absent: plain text. */
  readonly tls?: TlsFiles | undefined;
  /** `auto`: open on loopback, keys elsewhere. `required`: keys everywhere. */
  readonly access: 'auto' | 'required';
  /** Origins whose pages may call the node from a browser. */
  readonly allowedOrigins?: readonly string[];
  /** OTLP/HTTP endpoint for traces; absent: the environment variables decide. */
  readonly otlpEndpoint?: string;
  /** Cores for replicas, and for jobs besides them. Default: all that the container may use. */
  readonly cores?: number;
  /** `redis://…`: the job store of a fleet. Default: in the data folder. */
  readonly redis?: string | undefined;
  /** `s3://…`, or a folder shared by all members: the artifacts of jobs. Default: the data folder. */
  readonly blobs?: string | undefined;
  /** Jobs of different namespaces share a Redis and are invisible to each other. */
  readonly namespace?: string | undefined;
  /** Most bytes of artifacts that tenants hold together. Default: half of the disk; a bucket has no bound. */
  readonly maxArtifactsBytes?: number | undefined;
  /** Disk space that uploads and jobs keep free, in bytes. Default: 1 GiB, and at most a tenth of the disk. */
  readonly keptFreeBytes?: number | undefined;
  /** Queues whose jobs the node runs itself; none: other workers run them. Default: `default`. */
  readonly queues?: readonly string[];
  /** Whether every model runs in a process of its own. Default: untrusted ones only. */
  readonly isolateModels?: boolean;
  /** Time in which the node ends after a signal, in milliseconds, whatever it is doing. Default: 30 s. */
  readonly graceMs?: number;
  /** Ends the node while it starts; `startNode` then rejects. */
  readonly signal?: AbortSignal;
}

export const DEFAULT_GRACE_MS = 30_000;
/** Requests that are unanswered this long before the deadline get an error, in milliseconds: it must still be sent. */
const CUT_OFF_MS = 300;

export interface RunningNode {
  readonly url: string;
  /** `host:port` of the gRPC face. */
  readonly grpcUrl: string;
  readonly access: AccessMode;
  /** Answers the accepted requests, then stops everything, within `graceMs` and half a second. Idempotent. */
  drain(): Promise<void>;
}

/** Ports tried after the default one. */
const ALTERNATIVES = 20;
/** A model file may be larger than any inference request. */
const MAX_MODEL_BYTES = 2 ** 31;

const clock: Clock = { now: () => performance.now() };

/**
 * Starts a node and restores its deployments; resolves when each of them is ready, idle or failed.
 *
 * @throws SkeinError DATA_FOLDER_LOCKED, DATA_FOLDER_UNUSABLE, PORT_IN_USE, KEYS_REQUIRED,
 *   STORAGE_FULL, TLS_INVALID, FILE_UNREADABLE, NODE_DRAINING if it was aborted meanwhile; it has
 *   stopped then.
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { signal, graceMs = DEFAULT_GRACE_MS } = options;
  const logger = createLogger(options.log, options.logLevel);
  const started: Component[] = [];
  let drained: Promise<void> | undefined;
  let abortedAt: number | undefined;
  const drain = (): Promise<void> =>
    (drained ??= stopComponents(started, (abortedAt ?? clock.now()) + graceMs, (component, error) =>
      logger.warn(
        { component, ...(error === undefined ? {} : { err: error }) },
        error === undefined ? 'A component did not stop in time.' : 'A component failed to stop.',
      ),
    ));
  /** Called when the node is aborted while it starts. */
  let abortStart: () => void = () => {};
  const onAbort = (): void => {
    abortedAt = clock.now();
    abortStart();
  };
  signal?.addEventListener('abort', onAbort);
  try {
    const running = await bringUp(options, logger, {
      open(name, stop) {
        started.push({ name, stop });
        throwIfAborted(signal);
      },
      onAbort: (act) => (abortStart = act),
      drain,
    });
    throwIfAborted(signal);
    return running;
  } catch (error) {
    await drain();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new SkeinError('NODE_DRAINING', 'The node was asked to end while it started.');
}

/** Registers the started components for the shutdown. */
interface Lifecycle {
  /** Registers a started component. @throws SkeinError NODE_DRAINING if the node was aborted. */
  open(name: string, stop: Component['stop']): void;
  onAbort(act: () => void): void;
  /** Stops everything. Idempotent. */
  drain(): Promise<void>;
}

async function bringUp(
  options: NodeOptions,
  logger: ReturnType<typeof createLogger>,
  lifecycle: Lifecycle,
): Promise<RunningNode> {
  tuneCollector();
  const startedAt = new Date();
  const cores = options.cores ?? usableThreads();
  const { host, bodyTimeoutMs = DEFAULT_LIMITS.bodyTimeoutMs } = options;
  const { maxConnections = DEFAULT_LIMITS.maxConnections } = options;

  const certificates = options.tls && (await openCertificates(options.tls, logger));
  lifecycle.open('certificates', () => certificates?.close());
  const folder = await openDataFolder(options.dataFolder);
  lifecycle.open('folder', () => folder.close());
  /** Replaced once the keys have been read; no caller exists before. */
  let shareOf: ShareOf = () => 1;
  const { queues = ['default'] } = options;
  const jobMetrics = createJobMetrics(queues);
  // Concurrently with the rest: the store is a thread that takes time to start.
  const opening = openJobPlane({
    folder: folder.root,
    queues,
    redis: options.redis,
    blobs: options.blobs,
    namespace: options.namespace,
    cores: options.cores,
    keptFreeBytes: options.keptFreeBytes,
    maxArtifactsBytes: options.maxArtifactsBytes,
    shareOf: (tenant) => shareOf(tenant),
    onPickup: (waitedMs) => jobMetrics.pickedUp(waitedMs),
    log: (level, message, details) => logger[level](details ?? {}, message),
  });
  opening.catch(() => {});
  lifecycle.open('jobs', async (by) => (await opening.catch(() => undefined))?.drain(by));
  const state = withReserve(await openState(folder.databasePath), folder.reserve);
  lifecycle.open('state', () => state.close());
  const room = createDiskRoom({ folder: folder.root, keptFreeBytes: options.keptFreeBytes });
  const artifacts = await openFileArtifacts(folder.artifactsPath, { room });
  const registry = createRegistry({
    state,
    artifacts,
    limits: { maxModelBytes: MAX_MODEL_BYTES },
    describeComposition,
  });
  await registry.removeOrphans();

  const keys = await (await openKeyRing(state)).list();
  const mode = accessModeFor([host], options.access === 'required', keys, Date.now());
  const access = await createAccess({ state, mode, clock });
  shareOf = access.shareOf;
  // Retries the revocations that could not be written.
  lifecycle.open('keys', () => access.keys.close());
  const logins = recordRefusedLogins({ access, keys: access.keys, state, logger });
  lifecycle.open('logins', () => logins.close());

  const statistics = createModelStatistics();
  const bodies = bodyBudget(
    options.maxBodiesInFlightBytes ?? defaultBodyBudget(options.maxBodyBytes),
    access.shareOf,
  );
  /** Shared budgets, for management and metrics. */
  const rpcs = grpcBudgets(GRPC_LIMITS, access.shareOf);
  const budgets: SharedBudget[] = [bodies, rpcs.connections, rpcs.streams];
  const metrics = createMetrics({
    clock,
    version: VERSION,
    views: () => serving.views(),
    budgets,
    expose(page) {
      jobMetrics.expose(page);
      certificates?.expose(page);
    },
  });
  lifecycle.open('metrics', () => metrics.close());
  const serving = createServing({
    state,
    registry,
    runtime: nativeRuntime,
    clock,
    cores,
    observer: combineObservers([metrics.observer, statistics, accessLog(logger)]),
    log: (message, details) => logger.warn(details, message),
    weightOf: access.weightOf,
    isolateModels: options.isolateModels,
  });
  const tracing = await startTracing({
    endpoint: options.otlpEndpoint,
    version: VERSION,
    warn: (message) => logger.warn({}, message),
  });
  if (tracing !== undefined) lifecycle.open('tracing', () => tracing.close());
  const inference = tracing?.wrap(serving) ?? serving;

  let draining = false;
  const nodeInfo = (): NodeView => ({
    version: VERSION,
    startedAt: startedAt.toISOString(),
    uptimeMs: Date.now() - startedAt.getTime(),
    cores,
    coresInUse: threadsInUse(serving.views()),
    ports: { http: http.address?.port ?? 0, grpc: grpc.address?.port ?? null },
    dataFolder: folder.root,
    access: mode,
    draining,
  });
  const jobs = await opening;
  const eventStreams = eventStreamBudget(MAX_EVENT_STREAMS, access.shareOf);
  budgets.push(jobs.artifactBytes, eventStreams);
  const management = createManagement({
    control: serving,
    registry,
    runs: createRuns(state, folder.root),
    state,
    jobs: jobs.store,
    artifacts: jobs.artifacts,
    holdings: jobs.holdings,
    budgets,
    sandboxes: () => jobs.sandboxes(),
    access: logins,
    keys: access.keys,
    events: serving.events,
    nodeInfo,
    bodies,
    eventStreams,
    logger,
    limits: { bodyTimeoutMs, maxUploadBytes: MAX_MODEL_BYTES },
  });
  const repository = createModelRepository(registry, serving, state, auditInto(state, logger));
  const codec = new PayloadCodec();
  lifecycle.open('codec', () => codec.close());
  const { refused } = metrics;
  const shared = { inference, access: logins, refused, bodies, certificates, logger };
  const limits = { maxBodyBytes: options.maxBodyBytes, bodyTimeoutMs, maxConnections };
  const faces = facesOf({
    ...shared,
    repository,
    statistics,
    codec,
    version: VERSION,
    management,
    metrics: {
      contentType: metrics.contentType,
      async text() {
        await jobMetrics.read(jobs.store);
        return metrics.render();
      },
    },
  });
  const http = createHttpGateway({
    ...shared,
    faces,
    limits,
    open: mode === 'open',
    allowedOrigins: options.allowedOrigins ?? [],
  });
  const grpc = createGrpcGateway({ ...shared, faces, limits, budgets: rpcs });

  lifecycle.open('serving', (by) => serving.drain(by - CUT_OFF_MS));
  // Before the faces listen: a deployment that is still loading must not be reported as unknown.
  await serving.readDeployments();
  // Both at once: while one finishes its last requests, the other must not accept new ones.
  lifecycle.open('faces', async (by) => {
    draining = true;
    serving.stopChanges();
    // Requests in flight keep the faces open, so fail the remaining ones before the deadline.
    const cutOff = setTimeout(() => void serving.drain(clock.now()), by - CUT_OFF_MS - clock.now());
    management.close();
    await Promise.all([http.drain(by), grpc.drain(by), jobs.quiesce(by)]);
    clearTimeout(cutOff);
  });
  const at = await http.listen({
    host,
    port: options.port,
    alternatives: options.portIsDefault ? ALTERNATIVES : 0,
  });
  const grpcAt = await grpc.listen({
    host,
    port: options.grpcPort,
    alternatives: options.grpcPortIsDefault ? ALTERNATIVES : 0,
  });
  const url = `${certificates === undefined ? 'http' : 'https'}://${authority(host, at.port)}`;
  await folder.announce(url, certificates?.current.certificate);
  const unannounced = certificates?.onChange(() => {
    folder.announce(url, certificates.current.certificate).catch((error: unknown) => {
      logger.warn({ err: error }, 'Commands on the data folder do not know the new certificate.');
    });
  });
  lifecycle.open('certificate note', () => unannounced?.());
  lifecycle.onAbort(() => serving.stopChanges());
  await serving.start();
  return {
    url,
    grpcUrl: authority(host, grpcAt.port),
    access: mode,
    drain: () => lifecycle.drain(),
  };
}

function threadsInUse(views: readonly Deployed[]): number {
  let threads = 0;
  for (const { kind, settings, targets } of views) {
    // A composition mostly waits for other deployments and uses none of their threads.
    if (kind === 'composition') continue;
    for (const { replicas } of targets) {
      threads += settings.threads * replicas.filter((replica) => replica.state !== 'gone').length;
    }
  }
  return threads;
}

type Deployed = ReturnType<ReturnType<typeof createServing>['views']>[number];

/** The address for clients: a wildcard becomes loopback, IPv6 gets brackets. */
function authority(host: string, port: number): string {
  const callable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return callable.includes(':') ? `[${callable}]:${port}` : `${callable}:${port}`;
}
