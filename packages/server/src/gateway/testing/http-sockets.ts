/** The HTTP face behind raw sockets; both are closed after the test. */
import { onTestFinished } from 'vitest';
import type { TensorMap } from '@skein/onnx';
import type { InferenceRequest } from '@skein/serving';
import { bodyBudget, type GatewayLimits } from '@skein/http';
import { rawClient, type RawClient } from '../../testing/raw-client.ts';
import { startHttpFace } from './http-face.ts';

export const BODY = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}';
export const HEAD = `POST /v2/models/echo/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY.length}\r\n`;

export function startSocketFace(limits: Partial<GatewayLimits> = {}, bodies = bodyBudget(2 ** 30)) {
  return startHttpFace({ bodies, limits });
}

export function raw(port: number): RawClient {
  const client = rawClient(port);
  onTestFinished(() => void client.socket.destroy());
  return client;
}

/** An answer that waits until the test releases it. */
export function held(inference: {
  answer: (request: InferenceRequest) => TensorMap | Promise<TensorMap>;
}) {
  const arrived = Promise.withResolvers<InferenceRequest>();
  const release = Promise.withResolvers<void>();
  inference.answer = async (request) => {
    arrived.resolve(request);
    await release.promise;
    return request.inputs;
  };
  return { arrived: arrived.promise, release: () => release.resolve() };
}
