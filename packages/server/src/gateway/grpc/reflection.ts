/**
 * Server reflection, so that grpcurl and similar tools need no proto file. It serves version 1 and
 * the older name that many clients try first; their messages are the same.
 */
import type { ServerDuplexStream, UntypedHandleCall } from '@grpc/grpc-js';
import {
  toBinary,
  type DescFile,
  type DescMessage,
  type DescService,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { type GatewayLogger, requestIdFrom } from '@skein/http';
import { definition, pathOf, readMessage, type GrpcMethod } from './method.ts';
import { first } from './rules.ts';
import { toGrpcError } from './status.ts';
import { file_health } from './proto/health.gen.ts';
import {
  file_reflection,
  ServerReflection,
  ServerReflectionRequestSchema,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from './proto/reflection.gen.ts';

type Response = MessageInitShape<typeof ServerReflectionResponseSchema>;

const NAMES = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;

/** @param services of the faces. */
export function reflectionMethods(
  services: readonly DescService[],
  logger: GatewayLogger,
): readonly GrpcMethod[] {
  const files = services.flatMap(({ file }) => [file, ...file.dependencies]);
  files.push(file_health, file_reflection);
  const method = ServerReflection.method.serverReflectionInfo;
  const handler = (call: ServerDuplexStream<Buffer, Response>): void => {
    call.on('data', (message: Buffer) => {
      try {
        const request = readMessage(ServerReflectionRequestSchema, message);
        const { host, messageRequest } = request;
        const response = { validHost: host, originalRequest: request };
        // Read on only after the answer was taken: an answer is many times larger than its request.
        if (call.write({ ...response, messageResponse: answer(files, messageRequest) })) return;
        call.pause();
        call.once('drain', () => call.resume());
      } catch (error) {
        const id = requestIdFrom(first(call.metadata, 'x-request-id'));
        call.emit('error', toGrpcError(error, id, logger));
      }
    });
    call.on('end', () => call.end());
  };
  return NAMES.map((name) => [
    definition(method, pathOf(method, name)),
    handler as UntypedHandleCall,
    { needs: 'reader', tensors: false },
  ]);
}

function answer(
  files: readonly DescFile[],
  request: ServerReflectionRequest['messageRequest'],
): NonNullable<Response['messageResponse']> {
  switch (request.case) {
    case 'listServices': {
      const service = files.flatMap(({ services }) =>
        services.map(({ typeName }) => ({ name: typeName })),
      );
      return { case: 'listServicesResponse', value: { service } };
    }
    case 'fileByFilename':
      return fileResponse(
        files.find(({ proto }) => proto.name === request.value),
        request.value,
      );
    case 'fileContainingSymbol':
      return fileResponse(
        files.find((file) => symbolsOf(file).has(request.value)),
        request.value,
      );
    default:
      return failure(UNIMPLEMENTED, 'Proto 3 has no extensions.');
  }
}

function fileResponse(
  file: DescFile | undefined,
  wanted: string,
): NonNullable<Response['messageResponse']> {
  if (file === undefined) return failure(NOT_FOUND, `There is no "${wanted}".`);
  const bytes = toBinary(FileDescriptorProtoSchema, file.proto);
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: [bytes] } };
}

function failure(
  errorCode: number,
  errorMessage: string,
): NonNullable<Response['messageResponse']> {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}

/** Full names of all definitions of a file. */
function symbolsOf({ services, messages, enums }: DescFile): ReadonlySet<string> {
  const symbols = new Set<string>();
  const add = (message: DescMessage): void => {
    symbols.add(message.typeName);
    for (const nested of message.nestedEnums) symbols.add(nested.typeName);
    for (const nested of message.nestedMessages) add(nested);
  };
  for (const { typeName, methods } of services) {
    symbols.add(typeName);
    for (const { name } of methods) symbols.add(`${typeName}.${name}`);
  }
  for (const { typeName } of enums) symbols.add(typeName);
  for (const message of messages) add(message);
  return symbols;
}
