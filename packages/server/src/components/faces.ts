/** The faces of a node over HTTP and gRPC, and the addresses that they listen on. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { NodeView } from '@skein/api';
import type { SharedBudget } from '@skein/api/shared-budget';
import { type Certificates, DEFAULT_LIMITS, type UpgradeHandler } from '@skein/http';
import type { JobPlane, WorkerScale } from '@skein/jobs';
import type { DeploymentControl, Instant } from '@skein/serving';
import type { DataFolder } from '@skein/state';
import { auditInto } from '../access/audit-trail.ts';
import { boundedAudit } from '../access/bounded-audit.ts';
import { createDeviceRegistry } from '../devices/device-registry.ts';
import type { FleetControl } from '../fleet/fleet.ts';
import type { FederationComponent } from './federations.ts';
import { facesOf } from '../gateway/faces.ts';
import { createGrpcGateway } from '../gateway/grpc/gateway.ts';
import { createHttpGateway } from '../gateway/http/gateway.ts';
import { createManagement } from '../gateway/management/management.ts';
import { createModelRepository } from '../gateway/oip/models/repository.ts';
import { gatewayThreadsFor } from '../gateway/oip/tensors/codec-threads.ts';
import { PayloadCodec } from '../gateway/oip/tensors/payload-codec.ts';
import { createSharedRegions } from '../gateway/oip/shared-memory/shared-memory.ts';
import type { LanguageModels } from '../language/language-models.ts';
import type { JobMetrics } from '../telemetry/metrics/job-page.ts';
import { VERSION } from '../version.ts';
import type { Callers } from './callers.ts';
import type { InferenceComponent } from './inference.ts';
import { MAX_MODEL_BYTES, type Opening } from './component.ts';
import type { StorageComponent } from './storage.ts';
import type { SharedState } from './shared-state.ts';

export interface FacesComponentOptions {
  readonly folder: DataFolder;
  readonly storage: StorageComponent;
  readonly callers: Callers;
  readonly shared: SharedState | undefined;
  readonly plane: InferenceComponent;
  readonly languageModels: LanguageModels;
  readonly fleet: FleetControl;
  readonly federations: FederationComponent;
  readonly jobs: JobPlane;
  readonly jobMetrics: JobMetrics;
  readonly workerScale: WorkerScale;
  readonly certificates: Certificates | undefined;
  readonly budgets: readonly SharedBudget[];
  readonly cores: number;
}

/** Requests that are unanswered this long before the deadline get an error, in milliseconds: it must still be sent. */
const CUT_OFF_MS = 300;
/** Ports tried after the default one. */
const ALTERNATIVES = 20;

export function openFaces(opening: Opening, components: FacesComponentOptions) {
  const { options, logger, lifecycle, clock } = opening;
  const {
    folder,
    storage,
    callers,
    shared,
    plane,
    languageModels,
    fleet,
    federations,
    jobs,
    jobMetrics,
    certificates,
    budgets,
    cores,
  } = components;
  const { serving, inference, statistics, metrics, forwarding } = plane;
  const control = forwarding?.control ?? serving;
  const { state, registry, runs, dataSets, devices } = storage;
  const { access, bodies, eventStreams, keys, mode } = callers;
  const { bodyTimeoutMs = DEFAULT_LIMITS.bodyTimeoutMs } = options;
  const { maxConnections = DEFAULT_LIMITS.maxConnections } = options;
  const startedAt = new Date();
  let draining = false;
  let hasRestored = false;

  const nodeInfo = (): NodeView => ({
    version: VERSION,
    startedAt: startedAt.toISOString(),
    uptimeMs: Date.now() - startedAt.getTime(),
    cores,
    coresInUse: threadsInUse(serving.views()),
    ports: { http: http.address?.port ?? 0, grpc: grpc.address?.port ?? null },
    dataFolder: folder.root,
    access: mode,
    ...(shared === undefined ? {} : { store: shared.view() }),
    draining,
  });
  const bounded = boundedAudit(state, logger);
  lifecycle.open('audit', () => bounded.close());
  const management = createManagement({
    control,
    languageModels,
    fleet,
    federations,
    devices: createDeviceRegistry({ devices, leases: state.leases }),
    registry,
    runs,
    dataSets,
    state,
    bounded,
    jobs: jobs.store,
    scale: components.workerScale,
    artifacts: jobs.artifacts,
    holdings: jobs.holdings,
    budgets,
    sandboxes: () => jobs.sandboxes(),
    access,
    keys,
    events: eventsOf(serving.events, shared),
    nodeInfo,
    adoptStore: async () => shared?.adopt(),
    bodies,
    eventStreams,
    logger,
    limits: { bodyTimeoutMs, maxUploadBytes: MAX_MODEL_BYTES },
  });
  const { gatewayThreads = gatewayThreadsFor(cores) } = options;
  const codec = new PayloadCodec(gatewayThreads - 1);
  lifecycle.open('codec', () => codec.close());
  const regions = createSharedRegions(options.host);
  lifecycle.open('shared memory', () => regions.close());
  const common = { inference, access, refused: metrics.refused, bodies, certificates, logger };
  const faces = facesOf({
    ...common,
    languageModels: () => languageModels.gateway(),
    responses: (caller) => languageModels.responses(caller),
    sealKey: languageModels.sealKey,
    repository: createModelRepository(
      registry,
      control,
      state,
      auditInto(state, logger),
      (message, details) => logger.warn(details, message),
    ),
    statistics,
    regions,
    codec,
    serverName: options.serverName,
    version: VERSION,
    hasRestored: () => hasRestored,
    management,
    metrics: {
      contentType: metrics.contentType,
      async text() {
        await jobMetrics.read(jobs.store);
        return metrics.render();
      },
    },
  });
  const limits = { maxBodyBytes: options.maxBodyBytes, bodyTimeoutMs, maxConnections };
  const { allowedOrigins = [], onKeylessLoad } = options;
  const open = mode === 'open';
  const grpc = createGrpcGateway({
    ...common,
    faces,
    limits,
    budgets: callers.rpcs,
    onKeylessLoad,
  });
  const http2 = (socket: Socket): void => grpc.accept(socket);
  const upgrade = firstThatAsks(forwarding?.upgrade, federations.upgrade);
  const protocols = { http2, upgrade };
  const http = createHttpGateway({ ...common, faces, limits, open, allowedOrigins, ...protocols });

  async function drain(by: Instant): Promise<void> {
    draining = true;
    serving.stopChanges();
    federations.disconnect();
    // Requests in flight keep the faces open, so fail the remaining ones before the deadline.
    const cutOff = setTimeout(
      () => {
        void serving.drain(clock.now());
        void languageModels.close();
      },
      by - CUT_OFF_MS - clock.now(),
    );
    management.close();
    // All at once: while one finishes its last requests, another must not accept new ones.
    await Promise.all([http.drain(by), grpc.drain(by), forwarding?.drain(by), jobs.quiesce(by)]);
    clearTimeout(cutOff);
  }

  return {
    /** The deployments have been restored. */
    restored: (): void => void (hasRestored = true),
    /**
     * Resolves when both faces accept connections, and commands on the data folder find the node.
     * @throws SkeinError PORT_IN_USE, STORAGE_FULL.
     */
    async listen(): Promise<{ readonly url: string; readonly grpcUrl: string }> {
      lifecycle.open('serving', (by) => serving.drain(by - CUT_OFF_MS));
      // Before the faces listen: a deployment that is still loading must not be reported as unknown.
      await serving.readDeployments();
      lifecycle.open('faces', drain);
      const { host, port, portIsDefault, grpcPort, grpcPortIsDefault } = options;
      const alternatives = (isDefault: boolean): number => (isDefault ? ALTERNATIVES : 0);
      const at = await http.listen({ host, port, alternatives: alternatives(portIsDefault) });
      const grpcAt = await grpc.listen({
        host,
        port: grpcPort,
        alternatives: alternatives(grpcPortIsDefault),
      });
      const scheme = certificates === undefined ? 'http' : 'https';
      const url = `${scheme}://${authority(host, at.port)}`;
      await announce(opening, folder, url, certificates);
      return { url, grpcUrl: authority(host, grpcAt.port) };
    },
  };
}

/** Commands on the data folder find the node, and trust its certificate when that changes. */
async function announce(
  { logger, lifecycle }: Opening,
  folder: DataFolder,
  url: string,
  certificates: Certificates | undefined,
): Promise<void> {
  await folder.announce(url, certificates?.current.certificate);
  const unannounced = certificates?.onChange(() => {
    folder.announce(url, certificates.current.certificate).catch((error: unknown) => {
      logger.warn({ err: error }, 'Commands on the data folder do not know the new certificate.');
    });
  });
  lifecycle.open('certificate note', () => unannounced?.());
}

/** Members of the fleet and sites of federations ask for protocols of their own on the same port. */
function firstThatAsks(...handlers: readonly (UpgradeHandler | undefined)[]): UpgradeHandler {
  const of = (request: IncomingMessage) => handlers.find((each) => each?.asks(request));
  return {
    asks: (request) => of(request) !== undefined,
    accept: async (request, socket, head) =>
      (await of(request)?.accept(request, socket, head)) ?? false,
  };
}

/** Announces what happens on this node, and in a fleet what happens on any. */
function eventsOf(
  own: InferenceComponent['serving']['events'],
  shared: SharedState | undefined,
): { subscribe(listener: () => void): () => void } {
  return {
    subscribe(listener) {
      const ends = [
        own.subscribe(listener),
        shared?.subscribe(({ history, deployments }) => {
          if (history || deployments) listener();
        }),
      ];
      return () => ends.forEach((end) => end?.());
    },
  };
}

function threadsInUse(views: ReturnType<DeploymentControl['views']>): number {
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

/** The address for clients: a wildcard becomes loopback, IPv6 gets brackets. */
function authority(host: string, port: number): string {
  const callable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return callable.includes(':') ? `[${callable}]:${port}` : `${callable}:${port}`;
}
