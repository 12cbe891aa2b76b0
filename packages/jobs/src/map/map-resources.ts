/** The resources of each job of a statement, and how many such jobs run at once. */
import type { BuiltinContext } from '../tasks/builtin.ts';
import type { MapInput, Resources } from './map-input.ts';
import { MAP_LABEL } from '../worker/labels.ts';

/** The least that a worker must have for a statement that no caller has bounded. */
const LEAST_BYTES = 512 * 2 ** 20;

export interface Chosen {
  readonly resources: Resources;
  readonly slots: number;
}

/**
 * By default a job has all cores of the smallest worker that can take it, and half of its memory: then a statement
 * uses whole machines, and every worker can take each job.
 */
export async function resourcesOf(
  { cores, memoryBytes, requires }: Pick<MapInput, 'cores' | 'memoryBytes' | 'requires'>,
  { workers }: Pick<BuiltinContext, 'workers'>,
): Promise<Chosen> {
  const needed = [MAP_LABEL, ...requires];
  const able = (await workers()).filter(({ labels }) =>
    needed.every((each) => labels.includes(each)),
  );
  const totals = able.map(({ total }) => total);
  const least = {
    cores: Math.min(...totals.map((total) => total.cores)),
    memoryBytes: Math.min(...totals.map((total) => total.memoryBytes)),
  };
  const resources = {
    cores: cores ?? (totals.length === 0 ? 1 : least.cores),
    memoryBytes:
      memoryBytes ??
      (totals.length === 0
        ? LEAST_BYTES
        : Math.max(LEAST_BYTES, Math.floor(least.memoryBytes / 2))),
  };
  const slots = totals.reduce((sum, total) => sum + fitting(total, resources), 0);
  return { resources, slots: Math.max(1, slots) };
}

function fitting(total: Resources, { cores, memoryBytes }: Resources): number {
  const byCores = Math.floor(total.cores / cores);
  return Math.min(byCores, Math.floor(total.memoryBytes / memoryBytes));
}
