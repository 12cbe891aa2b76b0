/** A run as `skein train` reports it, for tests. */
import { hostname } from 'node:os';
import type { Run } from '@skein/api';

export function sampleRun(id: string, change: Partial<Run> = {}): Run {
  return {
    id,
    name: 'risk',
    status: 'running',
    reason: '',
    task: 'classification',
    plan: { epochs: 2, batch: 32, freeze: '', early: false },
    lineage: {
      data: [{ role: 'training', path: 'train.csv', digest: 'a'.repeat(64), rows: 455 }],
      parent: { path: 'größe.onnx', digest: 'b'.repeat(64) },
      seed: 42,
      code: { skein: '0.1.0', commit: 'abc+' },
      environment: { host: 'h', platform: 'p', cpu: 'c', node: 'n', onnxRuntime: 'o' },
    },
    steps: { done: 15, planned: 30 },
    epochs: [1, 2].map((epoch) => ({
      epoch,
      loss: 0.3 / epoch,
      learningRate: 0.01,
      tookMs: 12.5,
      metrics: { accuracy: 0.9 + epoch / 100 },
    })),
    versions: [{ model: 'risk', version: '3', at: '2026-03-14T09:26:55.000Z' }],
    process: { host: hostname(), pid: process.pid },
    startedAt: '2026-03-14T09:26:53.589Z',
    updatedAt: '2026-03-14T09:26:54.120Z',
    ...change,
  };
}
