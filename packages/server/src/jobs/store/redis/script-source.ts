/**
 * The server-side scripts: one file per transition in `scripts/`, and what they share in
 * `scripts/shared/`. Redis has no modules, so a script's text is the constants, the shared files
 * that its header names (`-- include: turn job …`, in the order of their dependencies), and itself.
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

export interface Script {
  readonly source: string;
  readonly sha1: string;
}

const read = (path: string): string => readFileSync(new URL(path, FOLDER), 'utf8');

/** @throws Error when a script does not say what it includes. */
function assemble(name: ScriptName): Script {
  const own = read(`${name}.lua`);
  const includes = /^-- include: (.+)$/m.exec(own)?.[1]?.split(' ');
  if (!includes) throw new Error(`${name}.lua names no includes.`);
  const shared = includes.map((include) => read(`shared/${include}.lua`));
  const source = [CONSTANTS, ...shared, own].join('\n');
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

export function loadScripts(): Readonly<Record<ScriptName, Script>> {
  return Object.fromEntries(SCRIPT_NAMES.map((name) => [name, assemble(name)])) as Record<
    ScriptName,
    Script
  >;
}
