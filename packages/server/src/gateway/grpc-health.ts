/** `grpc.health.v1.Health`: the node under the empty name, and every deployment under its own. */
import type { ServerWritableStream, UntypedHandleCall } from '@grpc/grpc-js';
import { SkeinError } from '@skein/api';
import type { Inference } from '../serving/contract.ts';
import { definition, pathOf, unary, type GrpcMethod } from './grpc-method.ts';
import type { GatewayLogger } from './logger.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
  type HealthCheckRequest,
} from './proto/health.gen.ts';
import { GRPCInferenceService } from './proto/inference.gen.ts';
import { isNodeReady } from './protocol-rules.ts';

/** How often a watched status is looked at, in milliseconds. */
const WATCH_MS = 500;

export interface GrpcHealthOptions {
  readonly inference: Inference;
  readonly logger: GatewayLogger;
  readonly closing: AbortSignal;
  readonly isAccepting: () => boolean;
}

export function healthMethods(options: GrpcHealthOptions): readonly GrpcMethod[] {
  const { method } = Health;
  return [
    unary(method.check, options.logger, ({ service }) => {
      const status = statusOf(service, options);
      if (status === Status.SERVICE_UNKNOWN) {
        throw new SkeinError('MODEL_UNKNOWN', `There is no service or deployment "${service}".`);
      }
      return { status };
    }),
    [definition(method.watch, pathOf(method.watch)), watch(options) as UntypedHandleCall],
  ];
}

function statusOf(service: string, options: GrpcHealthOptions): Status {
  const { inference, isAccepting } = options;
  if (service === '' || service === GRPCInferenceService.typeName) {
    return isNodeReady(options) ? Status.SERVING : Status.NOT_SERVING;
  }
  if (!inference.list().some(({ name }) => name === service)) return Status.SERVICE_UNKNOWN;
  return isAccepting() && inference.isReady(service) ? Status.SERVING : Status.NOT_SERVING;
}

function watch(options: GrpcHealthOptions) {
  return (call: ServerWritableStream<HealthCheckRequest, { status: Status }>): void => {
    const { service } = call.request;
    let told: Status | undefined;
    const tell = (): void => {
      const status = statusOf(service, options);
      if (status !== told) call.write({ status: (told = status) });
    };
    const stop = (): void => clearInterval(timer);
    const leave = (): void => {
      stop();
      tell();
      call.end();
    };
    tell();
    const timer = setInterval(tell, WATCH_MS);
    options.closing.addEventListener('abort', leave, { once: true });
    for (const event of ['cancelled', 'close']) {
      call.on(event, () => {
        stop();
        options.closing.removeEventListener('abort', leave);
      });
    }
  };
}
