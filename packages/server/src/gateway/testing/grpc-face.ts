/** The gRPC face over an in-memory serving plane, with a client; both are closed after the test. */
import { Client, credentials } from '@grpc/grpc-js';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { onTestFinished } from 'vitest';
import { deployedModel, fakeInference } from '../../testing/fake-inference.ts';
import { createGrpcGateway, type GrpcGatewayOptions } from '../grpc/gateway.ts';
import { inferenceFace } from '../oip/face.ts';
import type { ModelInferRequestSchema } from '../oip/grpc/proto/inference.gen.ts';
import { fakePlane } from './fake-plane.ts';
import type { InferenceOptions } from '../oip/options.ts';

export async function startGrpcFace(
  overrides: Partial<InferenceOptions & GrpcGatewayOptions> = {},
) {
  const inference = fakeInference(deployedModel('echo', { versions: ['1', '2'] }));
  const plane = fakePlane(inference);
  const { calls } = plane;
  const { access } = plane.options;
  const options: InferenceOptions & Omit<GrpcGatewayOptions, 'faces'> = {
    ...plane.options,
    ...overrides,
    limits: { drainGraceMs: 0, drainTimeoutMs: 5000, ...overrides.limits },
  };
  const gateway = createGrpcGateway({ faces: [inferenceFace(options)], ...options });
  const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    await gateway.drain();
  });
  return { gateway, inference, access, calls, client, port };
}
type InferInit = Exclude<MessageInitShape<typeof ModelInferRequestSchema>, { $typeName: string }>;

/** A request of the deployment `echo`. */
export function floats(...list: number[]): InferInit {
  return {
    modelName: 'echo',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [BigInt(list.length)] }],
    rawInputContents: [new Uint8Array(new Float32Array(list).buffer)],
  };
}
