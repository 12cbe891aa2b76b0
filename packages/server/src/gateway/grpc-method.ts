/** Methods of generated services as gRPC's library takes them. */
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
import { toGrpcError } from './grpc-status.ts';
import { first } from './grpc-infer.ts';
import type { GatewayLogger } from './logger.ts';
import { requestIdFrom } from './request-id.ts';

/** Requests and responses of any type: they are converted by the functions beside the handler. */
export type GrpcMethod = readonly [
  definition: MethodDefinition<never, never>,
  handler: UntypedHandleCall,
];

/** @param service its full name when it differs from the one in the description. */
export function pathOf(method: DescMethod, service: string = method.parent.typeName): string {
  return `/${service}/${method.name}`;
}

/** Who calls, and what they sent along. */
export type UnaryCall = Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getPeer'>;

/** A method whose messages the generated code reads and writes. */
export function unary<Input extends DescMessage, Output extends DescMessage>(
  method: DescMethod & { readonly input: Input; readonly output: Output },
  logger: GatewayLogger,
  answer: (
    request: MessageShape<Input>,
    call: UnaryCall,
  ) => MessageInitShape<Output> | Promise<MessageInitShape<Output>>,
): GrpcMethod {
  const handler: handleUnaryCall<MessageShape<Input>, MessageInitShape<Output>> = (
    call,
    respond,
  ) => {
    const run = async (): Promise<MessageInitShape<Output>> => answer(call.request, call);
    run().then(
      (response) => respond(null, response),
      (error: unknown) => {
        const id = requestIdFrom(first(call.metadata, 'x-request-id'));
        respond(toGrpcError(error, id, logger));
      },
    );
  };
  return [definition(method, pathOf(method)), handler as UntypedHandleCall];
}

export function definition(method: DescMethod, path: string): MethodDefinition<never, never> {
  return {
    path,
    requestStream:
      method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream:
      method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
    requestSerialize: unused,
    responseSerialize: (message: MessageInitShape<DescMessage>) =>
      Buffer.from(toBinary(method.output, create(method.output, message))),
    responseDeserialize: unused,
  } as unknown as MethodDefinition<never, never>;
}

/** A method whose messages the handler reads and writes itself. */
export function rawDefinition(method: DescMethod): MethodDefinition<never, never> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    ...definition(method, pathOf(method)),
    requestDeserialize: asIs,
    responseSerialize: asIs,
  } as unknown as MethodDefinition<never, never>;
}

/** Only clients need the other two directions. */
function unused(): never {
  throw new Error('This is a server.');
}
