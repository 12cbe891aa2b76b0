/** Data sets: versions of tables, with where they come from and what was made of them. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import { DataManifest, DataOrigin, DataVersion, DataVersionDetail } from '../resources/data-set.ts';
import { Name } from '../resources/deployment.ts';
import { VersionNumber } from './parameters.ts';

const DataParam = z.strictObject({ name: Name.describe('Name of the data set.') });
const DataVersionParams = DataParam.extend({ version: VersionNumber });
/** An artifact without content. */
const digest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const heart = { name: 'heart' };

export const DATA_ENDPOINTS = {
  listData: {
    method: 'GET',
    path: '/api/v1/data',
    summary: 'List the versions of data sets, newest first.',
    description: 'Each tenant has data sets of its own, and sees no others.',
    scope: 'jobs',
    query: z.strictObject({ name: Name.describe('Only versions of this data set.').optional() }),
    response: z.object({ versions: z.array(DataVersion) }),
    example: { query: heart },
  },
  addDataVersion: {
    method: 'POST',
    path: '/api/v1/data/{name}/versions',
    summary: 'Add the next version of a data set.',
    description:
      'Its files are artifacts that were uploaded before, or have a path. A manifest that is equal to the newest version’s adds nothing: the answer is that version.',
    scope: 'jobs',
    params: DataParam,
    body: z
      .strictObject({
        contents: DataManifest,
        note: DataVersion.shape.note.default(''),
        from: DataOrigin.default({}),
      })
      .meta({ id: 'AddDataVersion' }),
    maxBodyBytes: 32 * 2 ** 20,
    status: 201,
    response: DataVersion,
    errors: [
      'ARTIFACT_UNKNOWN',
      'ARTIFACT_QUOTA',
      'JOB_UNKNOWN',
      'DATA_UNKNOWN',
      'STORAGE_FULL',
      'STORE_UNREACHABLE',
      'STORE_DENIED',
    ],
    example: {
      params: heart,
      body: {
        contents: {
          format: 'csv',
          columns: [{ name: 'age', type: 'BIGINT' }],
          rows: 0,
          files: [{ digest, sizeBytes: 0 }],
        },
        note: 'from the clinic',
      },
    },
  },
  getDataVersion: {
    method: 'GET',
    path: '/api/v1/data/{name}/versions/{version}',
    summary: 'Show a version: its schema and files, and what was made of it.',
    scope: 'jobs',
    params: DataVersionParams,
    response: DataVersionDetail,
    errors: ['DATA_UNKNOWN', 'ARTIFACT_CORRUPT', 'STORE_UNREACHABLE', 'STORE_DENIED'],
    example: { params: { ...heart, version: '1' } },
  },
  removeDataVersion: {
    method: 'DELETE',
    path: '/api/v1/data/{name}/versions/{version}',
    summary: 'Remove a version; its number is not given again.',
    description: 'Its files are removed a day later, unless jobs or other versions name them.',
    scope: 'jobs',
    params: DataVersionParams,
    errors: ['DATA_UNKNOWN'],
    example: { params: { ...heart, version: '1' } },
  },
} as const satisfies Record<string, NodeEndpoint>;
