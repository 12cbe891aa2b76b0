/**
 * The contract between a face and the transports. A face translates one protocol and nothing else:
 * it registers its paths with the HTTP listener, its service with the gRPC server, or both.
 */
import type { DescService } from '@bufbuild/protobuf';
import { SkeinError } from '@skein/api';
import type { SharedBudget } from '@skein/api/shared-budget';
import {
  type Exchange,
  type GatewayLimits,
  type GatewayLogger,
  MethodNotAllowed,
  type NodeExchange,
} from '@skein/http';
import type { Instant } from '@skein/serving';
import { brief } from './brief.ts';
import type { GrpcMethod } from './grpc/method.ts';

export interface Face {
  readonly http?: (transport: HttpTransport) => HttpRoutes;
  readonly grpc?: (transport: GrpcTransport) => GrpcService;
}

interface Transport {
  readonly limits: GatewayLimits;
  /** Whether the node accepts requests at all, whatever the state of its deployments. */
  readonly isAccepting: () => boolean;
}

export interface HttpTransport extends Transport {
  /** The largest sum of all bodies in flight. */
  readonly bodies: SharedBudget;
}

export interface HttpRoutes {
  /** Whether the face answers this path; the first face that does gets the request. */
  owns(path: string): boolean;
  /**
   * @param path of the URL, without the query.
   * @param reachedAt when the headers had arrived.
   * @returns when the answer has been written; undefined if that has happened already.
   * @throws SkeinError for every refusal and failure, synchronously or as a rejection.
   */
  serve(exchange: NodeExchange, path: string, reachedAt: Instant): Promise<void> | undefined;
  /** The same for a request that arrived whole; absent for a face whose answers are streams. */
  serveWhole?(exchange: Exchange, path: string, reachedAt: Instant): Promise<void> | undefined;
}

export interface GrpcTransport extends Transport {
  readonly logger: GatewayLogger;
  /** Aborted when the node drains: streams end once their requests have been answered. */
  readonly closing: AbortSignal;
}

export interface GrpcService {
  /** Its description, for health and reflection. */
  readonly service: DescService;
  readonly methods: readonly GrpcMethod[];
}

export function unknownRoute({ request }: Exchange): SkeinError {
  return new SkeinError('ROUTE_UNKNOWN', `There is no ${request.method} ${brief(request.url)}.`);
}

/** GET includes HEAD, for which Node omits the body. @throws SkeinError METHOD_NOT_ALLOWED. */
export function requireMethod({ request }: Exchange, method: 'GET' | 'POST'): void {
  if (request.method === method || (method === 'GET' && request.method === 'HEAD')) return;
  const allowed = method === 'GET' ? ['GET', 'HEAD'] : [method];
  throw new MethodNotAllowed(request.method ?? '', request.url ?? '', allowed);
}
