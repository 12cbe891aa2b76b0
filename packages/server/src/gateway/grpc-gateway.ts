/**
 * The gRPC face of a node: inference, health and reflection on one port, over the well-kept
 * `@grpc/grpc-js`. A bare HTTP/2 server is less than twice as fast, and gRPC's flow control,
 * deadlines and shutdown are worth more than that.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  logVerbosity,
  setLogVerbosity,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { SharedBudget } from '../access/shared-budget.ts';
import { bodyBudget, defaultBodyBudget } from './body-budget.ts';
import { boundCalls } from './grpc-bounds.ts';
import { healthMethods } from './grpc-health.ts';
import { first } from './grpc-infer.ts';
import type { GrpcMethod } from './grpc-method.ts';
import { inferenceMethods, type GrpcProtocolOptions } from './grpc-protocol.ts';
import { reflectionMethods } from './grpc-reflection.ts';
import { toGrpcError } from './grpc-status.ts';
import { DEFAULT_LIMITS, type GatewayLimits } from './limits.ts';
import { listenOnFreePort, type ListenAddress, type ListenOptions } from './listen.ts';
import { PayloadCodec } from './payload-codec.ts';
import { authorizeReader } from './protocol-rules.ts';
import { requestIdFrom } from './request-id.ts';

export interface GrpcGatewayOptions extends Omit<
  GrpcProtocolOptions,
  'closing' | 'isAccepting' | 'codec'
> {
  readonly limits?: Partial<GatewayLimits>;
  /** Shared with the other face. Default: of its own. */
  readonly bodies?: SharedBudget;
  readonly codec?: PayloadCodec;
}

export interface GrpcGateway {
  /** @throws SkeinError PORT_IN_USE. */
  listen(options: ListenOptions): Promise<ListenAddress>;
  /** Where it listens; absent before `listen`. */
  readonly address: ListenAddress | undefined;
  /**
   * Finishes what is in flight and closes. Idempotent.
   * @param by when the rest is cut off, by `performance.now()`; default: after `drainTimeoutMs`.
   */
  drain(by?: number): Promise<void>;
}

/** What a sender may have on the way before it waits; the default of 64 KiB stalls on tensors. */
const WINDOW_BYTES = 1024 * 1024;
/** How often a connection is asked whether the peer is there, and how long it has to say so. */
const PING_MS = 60_000;
const PING_TIMEOUT_MS = 20_000;

export function createGrpcGateway(options: GrpcGatewayOptions): GrpcGateway {
  const { access, logger } = options;
  const limits: GatewayLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const closing = new AbortController();
  const protocol: GrpcProtocolOptions = {
    ...options,
    codec: options.codec ?? new PayloadCodec(),
    closing: closing.signal,
    isAccepting: () => !closing.signal.aborted,
  };
  // It reports every failure to its caller as well; a taken port is no business of the terminal.
  setLogVerbosity(logVerbosity.NONE);
  const bodies = options.bodies ?? bodyBudget(defaultBodyBudget(limits.maxBodyBytes));
  const bounds = boundCalls(limits, bodies, logger);
  const server = new Server({
    'grpc.max_receive_message_length': limits.maxBodyBytes,
    'grpc.max_send_message_length': -1,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    // A peer that is gone without a word holds nothing for ever.
    'grpc.keepalive_time_ms': PING_MS,
    'grpc.keepalive_timeout_ms': PING_TIMEOUT_MS,
    interceptors: [bounds.interceptor],
  });
  addMethods(server, [
    ...inferenceMethods(protocol),
    ...healthMethods(protocol),
    ...reflectionMethods((call) => {
      try {
        authorizeReader(access, first(call.metadata, 'authorization'), call);
        return true;
      } catch (error) {
        const id = requestIdFrom(first(call.metadata, 'x-request-id'));
        call.emit('error', toGrpcError(error, id, logger));
        return false;
      }
    }),
  ]);

  let address: ListenAddress | undefined;
  let drained: Promise<void> | undefined;

  async function drain(by: number): Promise<void> {
    closing.abort();
    if (address === undefined) return;
    const leftMs = by - performance.now();
    await sleep(Math.max(0, Math.min(limits.drainGraceMs, leftMs / 2)));
    const timer = setTimeout(() => {
      logger.warn({ afterMs: Math.round(leftMs) }, 'Calls still in flight are cut off.');
      server.forceShutdown();
    }, by - performance.now());
    // Clients are told to go away, and what they had begun is finished.
    await new Promise<void>((resolve) => {
      server.tryShutdown(() => resolve());
    });
    clearTimeout(timer);
    bounds.close();
  }

  return {
    get address() {
      return address;
    },

    async listen(options) {
      const host = options.host.includes(':') ? `[${options.host}]` : options.host;
      address = await listenOnFreePort(
        options,
        (port) =>
          new Promise((resolve, reject) => {
            server.bindAsync(
              `${host}:${port}`,
              ServerCredentials.createInsecure(),
              (error, bound) => {
                if (error === null) resolve(bound);
                else reject(error);
              },
            );
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

function addMethods(server: Server, methods: readonly GrpcMethod[]): void {
  const service: Record<string, GrpcMethod[0]> = {};
  const handlers: UntypedServiceImplementation = {};
  for (const [definition, handler] of methods) {
    service[definition.path] = definition;
    handlers[definition.path] = handler;
  }
  server.addService(service as unknown as ServiceDefinition, handlers);
}
