/**
 * The server-side functions of the store of jobs: one file per transition in `scripts/`, and what
 * they share in `scripts/shared/`.
 */
import type { Effect, Functions } from '@skein/state/redis';
import * as bounds from '../bounds.ts';

/** Transitions that let accepted jobs end, or be removed, `free` even where they write. */
const EFFECTS = {
  'append-log': 'grows',
  cancel: 'frees',
  claim: 'frees',
  'drop-artifact': 'frees',
  'due-schedules': 'reads',
  enqueue: 'grows',
  finish: 'frees',
  'fire-schedule': 'grows',
  'group-counts': 'reads',
  'held-artifacts': 'reads',
  'hold-artifact': 'grows',
  job: 'reads',
  'lacked-artifacts': 'reads',
  jobs: 'reads',
  log: 'reads',
  'move-schedule': 'frees',
  now: 'reads',
  preempt: 'frees',
  progress: 'frees',
  'put-schedule': 'grows',
  'put-tenant': 'grows',
  queues: 'reads',
  'register-worker': 'frees',
  remove: 'frees',
  'remove-schedule': 'frees',
  'remove-worker': 'frees',
  renew: 'frees',
  revive: 'grows',
  'save-checkpoint': 'frees',
  schedules: 'reads',
  'set-queue-mode': 'frees',
  'tenant-load': 'reads',
  tenants: 'reads',
  tick: 'frees',
  workers: 'reads',
} as const satisfies Readonly<Record<string, Effect>>;

export type ScriptName = keyof typeof EFFECTS;

export const JOB_FUNCTIONS: Functions<ScriptName> = {
  family: 'skein',
  folder: new URL('./scripts/', import.meta.url),
  constants: {
    AGEING_MS: bounds.AGEING_MS,
    LOOK_AHEAD: bounds.LOOK_AHEAD,
    LOG_BYTES: bounds.LOG_BYTES,
    TENANT_LOG_BYTES: bounds.TENANT_LOG_BYTES,
    EVENTS_KEPT: bounds.EVENTS_KEPT,
    ASSEMBLY_MS: bounds.ASSEMBLY_MS,
    WORKER_SILENT_MS: bounds.WORKER_SILENT_MS,
    CANCELLED_KEPT_MS: bounds.CANCELLED_KEPT_MS,
    LIST_SCANNED: bounds.LIST_SCANNED,
    TICK_BATCH: bounds.TICK_BATCH,
    IDLE_MS: bounds.IDLE_MS,
    DEFAULT_MILLICORES: bounds.DEFAULT_TOTAL.millicores,
    DEFAULT_MEMORY: bounds.DEFAULT_TOTAL.memoryBytes,
  },
  shared: [
    'transaction',
    'job',
    'group',
    'event',
    'move',
    'attempt',
    'log',
    'gang',
    'transition',
    'retry',
    'intervention',
    'worker',
    'capacity',
    'assembly',
    'enqueue',
    'removal',
  ],
  effects: EFFECTS,
};
