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

export const SCRIPT_NAMES = [
  'append-log',
  'cancel',
  'claim',
  'due-schedules',
  'enqueue',
  'finish',
  'fire-schedule',
  'job',
  'jobs',
  'log',
  'now',
  'preempt',
  'progress',
  'put-schedule',
  'put-tenant',
  'queues',
  'register-worker',
  'remove-schedule',
  'remove-worker',
  'renew',
  'revive',
  'save-checkpoint',
  'schedules',
  'set-queue-mode',
  'tenants',
  'tick',
  'workers',
] as const;

export type ScriptName = (typeof SCRIPT_NAMES)[number];

/** In the order of their dependencies. */
const SHARED = [
  'turn',
  'job',
  'event',
  'move',
  'attempt',
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

/** Names carry the digest of the text, so that nodes of different versions share a Redis in peace. */
export function loadLibrary(): Library {
  const shared = SHARED.map((name) => read(`shared/${name}.lua`)).join('\n');
  const scripts = SCRIPT_NAMES.map((name) => [name, read(`${name}.lua`)] as const);
  const text = [CONSTANTS, shared, ...scripts.flat()].join('\n');
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12);
  const nameOf = (script: ScriptName) => `skein_${digest}_${script.replaceAll('-', '_')}`;
  const functions = scripts.map(
    ([name, body]) =>
      `redis.register_function('${nameOf(name)}', function(keys, arguments)\nbegin(keys, arguments)\n${body}\nend)`,
  );
  const source = [`#!lua name=skein_${digest}`, CONSTANTS, shared, ...functions].join('\n');
  return { source, nameOf };
}
