/** The faces of a node. */
import type { Face } from './face.ts';
import { geminiFace } from './gemini/face.ts';
import { managementFace, type ManagementOfFace } from './management/face.ts';
import { metricsFace, type MetricsOptions } from './metrics-face.ts';
import { inferenceFace } from './oip/face.ts';
import { openAiFace } from './openai/face.ts';
import type { InferenceOptions } from './oip/options.ts';
import type { OpenAiOptions } from './openai/options.ts';

export type FacesOptions = InferenceOptions & MetricsOptions & OpenAiOptions & ManagementOfFace;

/**
 * A new face is a folder next to this file and a line in this list. The first one that owns a path
 * answers it: the hot path is first, and management, which owns the rest, is last.
 */
export function facesOf(node: FacesOptions): readonly Face[] {
  return [
    inferenceFace(node), // /v2, inference.GRPCInferenceService
    geminiFace(node), // /v1beta
    openAiFace(node), // /v1
    metricsFace(node), // /metrics
    managementFace(node), // /api, /openapi.json, /docs, the pages
  ];
}
