/** Artifacts: inputs and outputs of jobs, stored by content. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import { ArtifactView, Digest } from '../resources/artifact.ts';

const DigestParam = z.strictObject({ digest: Digest });
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export const ARTIFACT_ENDPOINTS = {
  uploadArtifact: {
    method: 'PUT',
    path: '/api/v1/artifacts',
    summary: 'Store a blob; the answer names it by its sha-256.',
    description: 'Storing the same content again succeeds and takes no space.',
    scope: 'jobs',
    upload: 'application/octet-stream',
    status: 201,
    response: ArtifactView,
    errors: ['ARTIFACT_QUOTA', 'STORAGE_FULL', 'STORE_UNREACHABLE', 'STORE_DENIED'],
    example: { file: 'data.csv' },
  },
  getArtifact: {
    method: 'GET',
    path: '/api/v1/artifacts/{digest}',
    summary: 'Check whether an artifact exists, and get its size.',
    scope: 'jobs',
    params: DigestParam,
    response: ArtifactView,
    errors: ['ARTIFACT_UNKNOWN', 'STORE_UNREACHABLE', 'STORE_DENIED'],
    example: { params: { digest: EMPTY } },
  },
  downloadArtifact: {
    method: 'GET',
    path: '/api/v1/artifacts/{digest}/content',
    summary: 'Stream the content of an artifact, verified against its digest.',
    description:
      'The response carries the size. A response that ends early means that the artifact is corrupt.',
    scope: 'jobs',
    params: DigestParam,
    download: 'application/octet-stream',
    errors: ['ARTIFACT_UNKNOWN', 'ARTIFACT_CORRUPT', 'STORE_UNREACHABLE', 'STORE_DENIED'],
    example: { params: { digest: EMPTY } },
  },
} as const satisfies Record<string, NodeEndpoint>;
