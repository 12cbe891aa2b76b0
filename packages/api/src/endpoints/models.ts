/** Models: immutable versions, stored by digest. */
import { z } from 'zod';
import { Name } from '../resources/deployment.ts';
import type { NodeEndpoint } from '../endpoint.ts';
import { Metadata, ModelView, VersionView } from '../resources/model.ts';
import { VersionNumber } from './parameters.ts';

const ModelParam = z.strictObject({ name: Name.describe('Name of the model.') });
const VersionParams = ModelParam.extend({ version: VersionNumber });
const ocr = { name: 'ocr' };

export const MODEL_ENDPOINTS = {
  listModels: {
    method: 'GET',
    path: '/api/v1/models',
    summary: 'List the models that the node stores.',
    scope: 'read',
    response: z.object({ models: z.array(ModelView) }),
  },
  listVersions: {
    method: 'GET',
    path: '/api/v1/models/{name}/versions',
    summary: 'List the versions of a model, oldest first.',
    scope: 'read',
    params: ModelParam,
    response: z.object({ versions: z.array(VersionView) }),
    errors: ['MODEL_UNKNOWN'],
    example: { params: { name: 'risk' } },
  },
  importModel: {
    method: 'PUT',
    path: '/api/v1/models/{name}/versions',
    summary: 'Store an ONNX file as the next version of a model.',
    description:
      'The body is the file itself. Uploading the same bytes again returns the existing version. Metadata goes into the query: `?metadata[author]=ada`. An untrusted version always runs in a process of its own; `trust` is kept with its metadata.',
    scope: 'admin',
    params: ModelParam,
    query: z.strictObject({
      metadata: Metadata.default({}),
      trust: z
        .enum(['trusted', 'untrusted'])
        .describe('Whether the file comes from an author whom the operator trusts.')
        .default('trusted'),
    }),
    upload: 'application/octet-stream',
    status: 201,
    response: VersionView,
    errors: ['MODEL_FILE_INVALID', 'MODEL_UNSUPPORTED', 'MODEL_EXTERNAL_DATA', 'STORAGE_FULL'],
    example: {
      params: { name: 'risk' },
      query: { 'metadata[author]': 'ada' },
      file: 'model.onnx',
    },
  },
  getVersion: {
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}',
    summary: 'Show one version.',
    scope: 'read',
    params: VersionParams,
    response: VersionView,
    errors: ['MODEL_UNKNOWN', 'VERSION_UNKNOWN'],
    example: { params: { name: 'risk', version: '1' } },
  },
  removeVersion: {
    method: 'DELETE',
    path: '/api/v1/models/{name}/versions/{version}',
    summary: 'Remove a version that takes no traffic.',
    scope: 'admin',
    params: VersionParams,
    errors: ['MODEL_UNKNOWN', 'VERSION_UNKNOWN', 'VERSION_IN_USE'],
    example: { params: { name: 'risk', version: '1' } },
  },
  importComposition: {
    method: 'POST',
    path: '/api/v1/models/{name}/compositions',
    summary: 'Bundle a composition module into the next version of a model.',
    description:
      'The module is TypeScript on the node’s machine. The node bundles it with what it imports, stores the bundle, and runs it with its own rights.',
    scope: 'admin',
    params: ModelParam,
    body: z
      .strictObject({
        modulePath: z.string().min(1).max(4096).describe('Absolute path on the node’s machine.'),
        metadata: Metadata.default({}),
      })
      .meta({ id: 'ImportComposition' }),
    status: 201,
    response: VersionView,
    errors: ['COMPOSITION_INVALID', 'FILE_UNREADABLE'],
    example: { params: ocr, body: { modulePath: '/srv/models/ocr.ts' } },
  },
} as const satisfies Record<string, NodeEndpoint>;
