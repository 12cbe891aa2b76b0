/** `grpc.health.v1.Health`: the node under the empty name and the names of its services, and every deployment. */
import type { ServerWritableStream, UntypedHandleCall } from '@grpc/grpc-js';
import type { DescService } from '@bufbuild/protobuf';
import { SkeinError } from '@skein/api';
import type { Inference } from '@skein/serving';
import { type GatewayLogger, requestIdFrom } from '@skein/http';
import { definition, pathOf, readMessage, unary, type GrpcMethod } from './method.ts';
import { first } from './rules.ts';
import { toGrpcError } from './status.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
  HealthCheckRequestSchema,
} from './proto/health.gen.ts';
import { isNodeReady } from '../rules.ts';

/** Interval between two checks of a watched status, in milliseconds. */
const WATCH_MS = 500;

export interface GrpcHealthOptions {
  readonly inference: Inference;
  /** Served by the faces. */
  readonly services: readonly DescService[];
  readonly logger: GatewayLogger;
  readonly closing: AbortSignal;
  readonly isAccepting: () => boolean;
}

export function healthMethods(options: GrpcHealthOptions): readonly GrpcMethod[] {
  const { method } = Health;
  return [
    unary(method.check, 'nothing', options.logger, ({ service }) => {
      const status = statusOf(service, options);
      if (status === Status.SERVICE_UNKNOWN) {
        throw new SkeinError('MODEL_UNKNOWN', `There is no service or deployment "${service}".`);
      }
      return { status };
    }),
    [
      definition(method.watch, pathOf(method.watch)),
      watch(options) as UntypedHandleCall,
      { needs: 'nothing', tensors: false },
    ],
  ];
}

function statusOf(service: string, options: GrpcHealthOptions): Status {
  const { inference, services, isAccepting } = options;
  if (service === '' || services.some(({ typeName }) => typeName === service)) {
    return isNodeReady(options) ? Status.SERVING : Status.NOT_SERVING;
  }
  if (!inference.list().some(({ name }) => name === service)) return Status.SERVICE_UNKNOWN;
  return isAccepting() && inference.isReady(service) ? Status.SERVING : Status.NOT_SERVING;
}

function watch(options: GrpcHealthOptions) {
  /** Checks all watches with one timer. */
  const watches = new Set<(statusIn: (service: string) => Status) => void>();
  let timer: NodeJS.Timeout | undefined;

  function check(): void {
    const statuses = new Map<string, Status>();
    const statusIn = (service: string): Status => {
      let status = statuses.get(service);
      if (status === undefined) statuses.set(service, (status = statusOf(service, options)));
      return status;
    };
    for (const notify of watches) notify(statusIn);
  }

  return (call: ServerWritableStream<Buffer, { status: Status }>): void => {
    let service: string;
    try {
      ({ service } = readMessage(HealthCheckRequestSchema, call.request));
    } catch (error) {
      const id = requestIdFrom(first(call.metadata, 'x-request-id'));
      call.emit('error', toGrpcError(error, id, options.logger));
      return;
    }
    let sent: Status | undefined;
    const notify = (statusIn: (service: string) => Status): void => {
      const status = statusIn(service);
      if (status !== sent) call.write({ status: (sent = status) });
    };
    const now = (service: string): Status => statusOf(service, options);
    const stop = (): void => {
      options.closing.removeEventListener('abort', leave);
      watches.delete(notify);
      if (watches.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
    const leave = (): void => {
      stop();
      notify(now);
      call.end();
    };
    notify(now);
    watches.add(notify);
    timer ??= setInterval(check, WATCH_MS);
    options.closing.addEventListener('abort', leave, { once: true });
    for (const event of ['cancelled', 'close']) call.on(event, stop);
  };
}
