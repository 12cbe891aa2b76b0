/** Calls with the gRPC library's client, for tests: any method of any service by its descriptor. */
import { Metadata, type Client, type ServiceError } from '@grpc/grpc-js';
import {
  create,
  fromBinary,
  toBinary,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';

export function codec<M extends DescMethod>(of: M) {
  const path = `/${of.parent.typeName}/${of.name}`;
  const serialize = (message: MessageInitShape<M['input']>) =>
    Buffer.from(toBinary(of.input, create(of.input, message)));
  const deserialize = (bytes: Buffer) => fromBinary(of.output, bytes) as MessageShape<M['output']>;
  return { path, serialize, deserialize };
}

export function call<M extends DescMethod>(
  client: Client,
  of: M,
  message: MessageInitShape<M['input']>,
  metadata: Record<string, string> = {},
  deadline?: Date,
): Promise<MessageShape<M['output']>> {
  const { path, serialize, deserialize } = codec(of);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      serialize,
      deserialize,
      message,
      Metadata.fromHttp2Headers(metadata),
      deadline === undefined ? {} : { deadline },
      (error, response) => {
        if (error === null) resolve(response!);
        else reject(error);
      },
    );
  });
}

export function failure(promise: Promise<unknown>): Promise<ServiceError> {
  return promise.then(
    () => {
      throw new Error('The call succeeded.');
    },
    (error: ServiceError) => error,
  );
}
