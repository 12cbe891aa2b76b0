/**
 * The server-side scripts: one file per transition in `scripts/`, and what they share in
 * `scripts/shared/`. They become one library of Redis functions (Redis 7 and later), which is
 * compiled once: as separate EVAL scripts each call would define again all that it shares, which
 * costs more than most transitions do.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as bounds from '../bounds.ts';

const FOLDER = new URL('./scripts/', import.meta.url);

const CONSTANTS = Object.entries({
  AGEING_MS: bounds.AGEING_MS,
  LOOK_AHEAD: bounds.LOOK_AHEAD,
  LOG_BYTES: bounds.LOG_BYTES,
  TENANT_LOG_BYTES: bounds.TENANT_LOG_BYTES,
  EVENTS_KEPT: bounds.EVENTS_KEPT,
  ASSEMBLY_MS: bounds.ASSEMBLY_MS,
  WORKER_SILENT_MS: bounds.WORKER_SILENT_MS,
  CANCELLED_KEPT_MS: bounds.CANCELLED_KEPT_MS,
  TICK_BATCH: bounds.TICK_BATCH,
  IDLE_MS: bounds.IDLE_MS,
  DEFAULT_MILLICORES: bounds.DEFAULT_TOTAL.millicores,
  DEFAULT_MEMORY: bounds.DEFAULT_TOTAL.memoryBytes,
})
  .map(([name, value]) => `local ${name} = ${value}`)
  .join('\n');

/**
 * What each script may still do on a full Redis. `reads`: allowed also when its disk is full.
 * `frees`: allowed also when its memory is full, since ended jobs must still be forgotten. `grows`:
 * refused in both cases.
 */
const SCRIPTS = {
  'append-log': 'grows',
  cancel: 'frees',
  claim: 'frees',
  'drop-artifact': 'frees',
  'due-schedules': 'reads',
  enqueue: 'grows',
  finish: 'frees',
  'fire-schedule': 'grows',
  'held-artifacts': 'reads',
  'hold-artifact': 'grows',
  job: 'reads',
  'lacked-artifacts': 'reads',
  jobs: 'reads',
  log: 'reads',
  now: 'reads',
  preempt: 'frees',
  progress: 'frees',
  'put-schedule': 'grows',
  'put-tenant': 'grows',
  queues: 'reads',
  'register-worker': 'frees',
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
} as const;

export type ScriptName = keyof typeof SCRIPTS;

const FLAGS = { reads: "'no-writes'", frees: "'allow-oom'", grows: '' } as const;

/** In the order of their dependencies. */
const SHARED = [
  'transaction',
  'job',
  'event',
  'move',
  'attempt',
  'log',
  'gang',
  'transition',
  'retry',
  'intervention',
  'worker',
  'room',
  'assembly',
  'enqueue',
] as const;

export interface Library {
  /** What FUNCTION LOAD takes. */
  readonly source: string;
  /** The name of a script's function. */
  readonly nameOf: (script: ScriptName) => string;
}

const read = (path: string): string => readFileSync(new URL(path, FOLDER), 'utf8');

/** Names contain the digest of the text, so that nodes of different versions can share a Redis. */
export function loadLibrary(): Library {
  const shared = SHARED.map((name) => read(`shared/${name}.lua`)).join('\n');
  const scripts = (Object.keys(SCRIPTS) as ScriptName[]).map(
    (name) => [name, read(`${name}.lua`), FLAGS[SCRIPTS[name]]] as const,
  );
  const text = [CONSTANTS, shared, ...scripts.flat()].join('\n');
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12);
  const nameOf = (script: ScriptName) => `skein_${digest}_${script.replaceAll('-', '_')}`;
  const functions = scripts.map(
    ([name, body, flags]) =>
      `redis.register_function{function_name='${nameOf(name)}', flags={${flags}}, callback=function(keys, arguments)\nbegin(keys, arguments)\n${body}\nend}`,
  );
  const source = [`#!lua name=skein_${digest}`, CONSTANTS, shared, ...functions].join('\n');
  return { source, nameOf };
}
