/** Methods of generated services in the form of the gRPC library. */
import type {
  handleUnaryCall,
  MethodDefinition,
  ServerUnaryCall,
  UntypedHandleCall,
} from '@grpc/grpc-js';
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { SkeinError } from '@skein/api';
import { type GatewayLogger, requestIdFrom } from '@skein/http';
import { first, type CallRule, type Needs } from './rules.ts';
import { toGrpcError } from './status.ts';

/** Requests and responses of any type: the functions next to the handler convert them. */
export type GrpcMethod = readonly [
  definition: MethodDefinition<never, never>,
  handler: UntypedHandleCall,
  rule: CallRule,
];

/** @param service its full name if it differs from the one in the description. */
export function pathOf(method: DescMethod, service: string = method.parent.typeName): string {
  return `/${service}/${method.name}`;
}

export type UnaryCall = Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getPeer'>;

/** A method with small messages, which the generated code decodes and encodes. */
export function unary<Input extends DescMessage, Output extends DescMessage>(
  method: DescMethod & { readonly input: Input; readonly output: Output },
  needs: Needs,
  logger: GatewayLogger,
  answer: (
    request: MessageShape<Input>,
    call: UnaryCall,
  ) => MessageInitShape<Output> | Promise<MessageInitShape<Output>>,
): GrpcMethod {
  const handler: handleUnaryCall<Buffer, MessageInitShape<Output>> = (call, respond) => {
    const run = async (): Promise<MessageInitShape<Output>> =>
      answer(readMessage(method.input, call.request), call);
    run().then(
      (response) => respond(null, response),
      (error: unknown) => {
        const id = requestIdFrom(first(call.metadata, 'x-request-id'));
        respond(toGrpcError(error, id, logger));
      },
    );
  };
  const rule = { needs, tensors: false };
  return [definition(method, pathOf(method)), handler as UntypedHandleCall, rule];
}

/** Unknown fields are skipped and not kept. @throws SkeinError REQUEST_INVALID. */
export function readMessage<Desc extends DescMessage>(
  type: Desc,
  message: Buffer,
): MessageShape<Desc> {
  try {
    return fromBinary(type, message, { readUnknownFields: false });
  } catch (error) {
    throw new SkeinError('REQUEST_INVALID', `The message is not a ${type.name}.`, {
      cause: error,
    });
  }
}

/** A method whose handler decodes its messages; the generated code encodes the answers. */
export function definition(method: DescMethod, path: string): MethodDefinition<never, never> {
  return {
    path,
    requestStream:
      method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream:
      method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestDeserialize: asIs,
    requestSerialize: unused,
    responseSerialize: (message: MessageInitShape<DescMessage>) =>
      Buffer.from(toBinary(method.output, create(method.output, message))),
    responseDeserialize: unused,
  } as unknown as MethodDefinition<never, never>;
}

/** A method whose handler decodes and encodes its messages. */
export function rawDefinition(method: DescMethod): MethodDefinition<never, never> {
  return {
    ...definition(method, pathOf(method)),
    responseSerialize: asIs,
  };
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** Only clients need the other two directions. */
function unused(): never {
  throw new Error('This is a server.');
}
