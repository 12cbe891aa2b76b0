/**
 * The gRPC server of a node, over `@grpc/grpc-js`: the services of its faces, health and reflection
 * on a port of its own and on the port of HTTP. A bare HTTP/2 server is less than twice as fast,
 * which does not justify writing gRPC's flow control, deadlines and shutdown again.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  logVerbosity,
  setLogVerbosity,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { SharedBudget } from '@skein/api/shared-budget';
import {
  bodyBudget,
  type Certificates,
  DEFAULT_LIMITS,
  defaultBodyBudget,
  type GatewayLimits,
  type GatewayLogger,
  type ListenAddress,
  listenOnFreePort,
  type ListenOptions,
  tlsOptions,
} from '@skein/http';
import type { Inference } from '@skein/serving';
import type { FaceAccess } from '../../access/refused-logins.ts';
import type { Face } from '../face.ts';
import type { RefusalListener } from '../rules.ts';
import { boundCalls } from './bounds.ts';
import { grpcBudgets, type GrpcBudgets, GRPC_LIMITS, type GrpcLimits } from './limits.ts';
import { boundConnections } from './connections.ts';
import { healthMethods } from './health.ts';
import type { KeylessLoadListener } from './keyless-load.ts';
import type { GrpcMethod } from './method.ts';
import { reflectionMethods } from './reflection.ts';

export interface GrpcGatewayOptions {
  readonly faces: readonly Face[];
  /** For health. */
  readonly inference: Inference;
  readonly access: FaceAccess;
  /** Called for requests that are refused before the serving plane. */
  readonly refused?: RefusalListener | undefined;
  readonly onKeylessLoad?: KeylessLoadListener | undefined;
  readonly logger: GatewayLogger;
  readonly limits?: Partial<GatewayLimits & GrpcLimits>;
  /** Shared with HTTP. Default: its own. */
  readonly bodies?: SharedBudget;
  /** Default: one tenant may hold everything. */
  readonly budgets?: GrpcBudgets;
  /** Serves TLS with these. Default: HTTP/2 in plain text. */
  readonly certificates?: Certificates | undefined;
}

export interface GrpcGateway {
  /** @throws SkeinError PORT_IN_USE. */
  listen(options: ListenOptions): Promise<ListenAddress>;
  /** The bound address; absent before `listen`. */
  readonly address: ListenAddress | undefined;
  /** Takes over a connection of the HTTP port whose client speaks HTTP/2; TLS is done by then. */
  accept(socket: Socket): void;
  /**
   * Finishes the calls in flight and closes. Idempotent.
   * @param by when the rest is cut off, by `performance.now()`; default: after `drainTimeoutMs`.
   */
  drain(by?: number): Promise<void>;
}

/** Keepalive: how often a connection is pinged, and how long the peer has to answer. */
const PING_MS = 60_000;
const PING_TIMEOUT_MS = 20_000;

export function createGrpcGateway(options: GrpcGatewayOptions): GrpcGateway {
  const { access, logger, certificates } = options;
  const limits = { ...DEFAULT_LIMITS, ...GRPC_LIMITS, ...options.limits };
  const closing = new AbortController();
  const isAccepting = (): boolean => !closing.signal.aborted;
  const transport = { limits, logger, closing: closing.signal, isAccepting };
  const registered = options.faces.flatMap(({ grpc }) => grpc?.(transport) ?? []);
  const services = registered.map(({ service }) => service);
  // The library also returns every failure to its caller; it need not print a taken port.
  setLogVerbosity(logVerbosity.NONE);
  const bodies = options.bodies ?? bodyBudget(defaultBodyBudget(limits.maxBodyBytes));
  const budgets = options.budgets ?? grpcBudgets(limits);
  const server = new Server({
    // The interceptor bounds the size of messages.
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.max_connection_idle_ms': limits.keepAliveTimeoutMs,
    // Disable channelz: it counts every call for tools that the face does not serve.
    'grpc.enable_channelz': 0,
    // A peer that disappears without closing must not hold its resources for ever.
    'grpc.keepalive_time_ms': PING_MS,
    'grpc.keepalive_timeout_ms': PING_TIMEOUT_MS,
    interceptors: [(method, call) => bounds.interceptor(method, call)],
  });
  const methods = [
    ...registered.flatMap((face) => face.methods),
    ...healthMethods({ ...transport, inference: options.inference, services }),
    ...reflectionMethods(services, logger),
  ];
  addMethods(server, methods);
  const connections = boundConnections(
    server,
    limits.headersTimeoutMs,
    limits,
    budgets.connections,
  );
  const bounds = boundCalls({
    limits,
    rules: new Map(methods.map(([{ path }, , rule]) => [path, rule])),
    access,
    connections,
    bodies,
    streams: budgets.streams,
    refused: options.refused,
    onKeylessLoad: options.onKeylessLoad,
    logger,
  });

  // The connections of the HTTP port; the bounds above hold for them too.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const injected = new Set<Socket>();
  let isShutDown = false;
  let address: ListenAddress | undefined;
  let drained: Promise<void> | undefined;

  async function drain(by: number): Promise<void> {
    closing.abort();
    if (address === undefined && injected.size === 0) {
      isShutDown = true;
      return;
    }
    const leftMs = by - performance.now();
    await sleep(Math.max(0, Math.min(limits.drainGraceMs, leftMs / 2)));
    const timer = setTimeout(
      () => {
        logger.warn({ afterMs: Math.round(leftMs) }, 'Calls still in flight are cut off.');
        server.forceShutdown();
        connections.close();
      },
      Math.max(0, by - performance.now()),
    );
    connections.closeSilent();
    isShutDown = true;
    // Clients get a GOAWAY, and their calls in flight are finished.
    await new Promise<void>((resolve) => {
      server.tryShutdown(() => resolve());
    });
    // The library does not wait for connections that another server accepted.
    await Promise.all([...injected].map(closed));
    clearTimeout(timer);
    bounds.close();
    connections.close();
  }

  return {
    get address() {
      return address;
    },

    accept(socket) {
      if (isShutDown) {
        socket.destroy();
        return;
      }
      injected.add(socket);
      socket.once('close', () => injected.delete(socket));
      injector.injectConnection(socket);
    },

    async listen(options) {
      const host = options.host.includes(':') ? `[${options.host}]` : options.host;
      const credentials =
        certificates === undefined
          ? ServerCredentials.createInsecure()
          : new SecureGrpcCredentials(certificates);
      address = await listenOnFreePort(
        options,
        (port) =>
          new Promise((resolve, reject) => {
            server.bindAsync(`${host}:${port}`, credentials, (error, bound) => {
              if (error === null) resolve(bound);
              else reject(error);
            });
          }),
      );
      return address;
    },

    drain(by = performance.now() + limits.drainTimeoutMs) {
      drained ??= drain(by);
      return drained;
    },
  };
}

/** Resolves also if the client resets the connection. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

function addMethods(server: Server, methods: readonly GrpcMethod[]): void {
  const service: Record<string, GrpcMethod[0]> = {};
  const handlers: UntypedServiceImplementation = {};
  for (const [definition, handler] of methods) {
    service[definition.path] = definition;
    handlers[definition.path] = handler;
  }
  server.addService(service as unknown as ServiceDefinition, handlers);
}

/** TLS credentials whose certificate may change while the server runs. */
class SecureGrpcCredentials extends ServerCredentials {
  constructor(certificates: Certificates) {
    super(tlsOptions(certificates), certificates.current.context);
    certificates.onChange((context) => this.updateSecureContextOptions(context));
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}
