/** The job that does nothing, so that a measurement sees only the store. */
import type { JobStore } from '@skein/jobs';

type Spec = Parameters<JobStore['enqueue']>[0][number];
type Offer = Parameters<JobStore['claim']>[0];

export const noop = (more: Partial<Spec> = {}): Spec => ({
  queue: 'bench',
  tenant: 'bench',
  name: 'noop',
  work: { kind: 'task', task: 'noop', module: { path: '/noop.ts' }, input: null, limits: {} },
  priority: 0,
  resources: { cores: 1, memoryBytes: 2 ** 20 },
  requires: [],
  retry: { maxAttempts: 3, backoffMs: 1000, maxBackoffMs: 60_000 },
  parents: [],
  retentionMs: 3_600_000,
  ...more,
});

export const offerFor = (max: number, worker = 'bench'): Offer => ({
  worker,
  queues: ['bench'],
  free: { cores: max, memoryBytes: 2 ** 40 },
  labels: [],
  max,
  leaseMs: 30_000,
});

export const DONE = { kind: 'succeeded', result: { value: null, outputs: [] } } as const;
