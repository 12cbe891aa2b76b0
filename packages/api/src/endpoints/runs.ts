/** Training runs, as the trainer reports them. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import { Run, RunId, RunStatus, RunSummary } from '../resources/run.ts';
import { Limit } from './parameters.ts';

const RunParam = z.strictObject({ id: RunId });
const example = { id: '20260314-risk-3f9c1e' };
const digest = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

export const RUN_ENDPOINTS = {
  listRuns: {
    method: 'GET',
    path: '/api/v1/runs',
    summary: 'List the training runs, newest first.',
    scope: 'read',
    query: z.strictObject({
      status: RunStatus.optional(),
      limit: Limit,
      after: z.string().max(400).describe('`next` of the previous page.').optional(),
    }),
    response: z.object({ runs: z.array(RunSummary), next: z.string().optional() }),
    example: { query: { status: 'finished' } },
  },
  getRun: {
    method: 'GET',
    path: '/api/v1/runs/{id}',
    summary: 'Show a run with its epochs, its lineage and its report.',
    scope: 'read',
    params: RunParam,
    response: Run,
    errors: ['RUN_UNKNOWN'],
    example: { params: example },
  },
  putRun: {
    method: 'PUT',
    path: '/api/v1/runs/{id}',
    summary: 'Record the state of a run; a later report of the same run replaces it.',
    description:
      '`skein train` calls this after each epoch. The node ignores a report that is older than its state, so that reports may arrive twice or out of order.',
    scope: 'admin',
    params: RunParam,
    body: z.strictObject({ run: Run }).meta({ id: 'PutRun' }),
    response: RunSummary,
    errors: ['STORAGE_FULL'],
    example: {
      params: example,
      body: {
        run: {
          ...example,
          name: 'risk',
          status: 'running',
          reason: '',
          task: 'classification',
          plan: { epochs: 20, batch: 32 },
          lineage: {
            data: [{ role: 'training', path: 'train.csv', digest, rows: 455 }],
            parent: { path: 'mlp:64,32', digest },
            seed: 42,
            code: { skein: '0.1.0' },
            environment: {
              host: 'ada',
              platform: 'linux x64',
              cpu: 'a processor',
              node: '24.21.0',
              onnxRuntime: '1.30.0',
            },
          },
          steps: { done: 15, planned: 300 },
          epochs: [{ epoch: 1, loss: 0.31, learningRate: 0.01, tookMs: 12, metrics: {} }],
          versions: [],
          process: { host: 'ada', pid: 4711 },
          startedAt: '2026-03-14T09:26:53.589Z',
          updatedAt: '2026-03-14T09:26:54.120Z',
        },
      },
    },
  },
  removeRun: {
    method: 'DELETE',
    path: '/api/v1/runs/{id}',
    summary: 'Remove a run; the versions that it produced stay.',
    scope: 'admin',
    params: RunParam,
    errors: ['RUN_UNKNOWN', 'RUN_ACTIVE'],
    example: { params: example },
  },
} as const satisfies Record<string, NodeEndpoint>;
