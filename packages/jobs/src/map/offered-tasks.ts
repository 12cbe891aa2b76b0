/**
 * The tasks of a map as every worker that trusts offers them: by name, so that the jobs of a map run
 * on any machine of a fleet, wherever Skein is installed there.
 *
 * Names and paths are written down here, because a supervisor imports no work; a test holds them
 * against the modules.
 */
import { fileURLToPath } from 'node:url';

const CONDUCTOR = fileURLToPath(new URL('./map-run.ts', import.meta.url));
const SHARDS = fileURLToPath(new URL('./shard-tasks.ts', import.meta.url));

/** The label under which workers offer them, all together. */
export const MAP_LABEL = 'task:skein-map';

/** Paths of modules on this machine, by the names of their tasks. */
export const MAP_TASKS: ReadonlyMap<string, string> = new Map([
  ['skein-map', CONDUCTOR],
  ['skein-map-describe', SHARDS],
  ['skein-map-sql', SHARDS],
  ['skein-map-partition', SHARDS],
  ['skein-map-reduce', SHARDS],
]);
