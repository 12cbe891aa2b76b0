/** The HTTP face over an in-memory serving plane, and raw requests to it; closed after the test. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { onTestFinished } from 'vitest';
import type { Signature } from '@skein/onnx';
import { deployedModel, fakeInference } from '../../testing/fake-inference.ts';
import { createHttpGateway, type HttpGatewayOptions } from '../http/gateway.ts';
import { managementFace, type ManagementOfFace } from '../management/face.ts';
import { metricsFace, type MetricsOptions } from '../metrics-face.ts';
import { inferenceFace } from '../oip/face.ts';
import { fakePlane } from './fake-plane.ts';
import type { InferenceOptions } from '../oip/options.ts';

type Overrides = Partial<InferenceOptions & MetricsOptions & HttpGatewayOptions> & {
  readonly management?: ManagementOfFace['management'];
};

const two: Signature = {
  inputs: [
    { name: 'a', type: 'float32', shape: ['batch', 2] },
    { name: 'b', type: 'string', shape: ['batch'] },
  ],
  outputs: [{ name: 'y', type: 'float32', shape: ['batch', 2] }],
};

export async function startHttpFace(overrides: Overrides = {}) {
  const inference = fakeInference(
    deployedModel('echo', { versions: ['1', '2'] }),
    deployedModel('two', { signature: two, kind: 'composition' }),
  );
  const plane = fakePlane(inference);
  const { calls } = plane;
  const { access } = plane.options;
  const options: InferenceOptions & Omit<HttpGatewayOptions, 'faces'> = {
    ...plane.options,
    open: true,
    ...overrides,
    limits: { drainGraceMs: 0, drainTimeoutMs: 5000, ...overrides.limits },
  };
  const { metrics, management } = overrides;
  const faces = [
    inferenceFace(options),
    ...(metrics === undefined ? [] : [metricsFace({ access: options.access, metrics })]),
    ...(management === undefined ? [] : [managementFace({ management })]),
  ];
  const gateway = createHttpGateway({ faces, ...options });
  const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => gateway.drain());
  return { gateway, inference, access, calls, port, url: `http://127.0.0.1:${port}` };
}
/** fetch, but every header is sent unchanged. */
export function send(
  port: number,
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<{
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
  json: unknown;
}> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { host: '127.0.0.1', port, path, method, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const whole = Buffer.concat(chunks);
          const text = whole.toString();
          let json: unknown;
          try {
            json = JSON.parse(text);
          } catch {
            json = undefined;
          }
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: whole,
            text,
            json,
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Path of the deployment that returns its inputs, and a request for it. */
export const INFER = '/v2/models/echo/infer';
export const ONE = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2.5]}]}';
export const post = (body: string | Buffer, headers: Record<string, string> = {}) => ({
  method: 'POST',
  body,
  headers,
});
