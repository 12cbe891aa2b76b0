/** The tasks of a map, which every worker that trusts offers by name: any machine of a fleet can run them. */
import type { Builtin } from '../tasks/builtin.ts';
import { mapRun } from './map-run.ts';
import { describe, parts, statement } from './statement-tasks.ts';

export const MAP_TASKS: ReadonlyMap<string, Builtin> = new Map(
  [mapRun, describe, parts, statement].map((task) => [task.name, task as Builtin]),
);
