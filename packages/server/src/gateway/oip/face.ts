/**
 * The Open Inference Protocol, version 2, with Triton's extensions: `/v2/…` over HTTP and
 * `inference.GRPCInferenceService`.
 */
import type { Face } from '../face.ts';
import { inferenceService } from './grpc/methods.ts';
import { inferenceRoutes } from './http/routes.ts';
import type { InferenceOptions } from './options.ts';

export function inferenceFace(options: InferenceOptions): Face {
  return {
    http: (transport) => inferenceRoutes({ ...options, ...transport }),
    grpc: (transport) => inferenceService({ ...options, ...transport }),
  };
}
