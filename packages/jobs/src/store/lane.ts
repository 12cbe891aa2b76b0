/**
 * Where a ready job waits.
 *
 *     queue ─┬─ tenant ─┬─ lane: what its jobs need (labels, cores, memory)
 *            │          │     job ─ job ─ job …     by rank
 *            │          └─ lane of gangs: one entry per gang, whatever its members need
 *
 * Jobs of a lane need nearly the same, so that when its first does not fit an offer, the rest
 * hardly does either, and another lane is tried: a job that fits no worker blocks nobody. Needs are
 * classed in eighths of an octave, which bounds the lanes of a tenant however its jobs differ;
 * inside a class a bounded look-ahead finds the one that fits.
 */
import type { JobSpec } from '../contract.ts';
import { AGEING_MS } from './bounds.ts';

const eighths = (value: number): number => Math.ceil(8 * Math.log2(Math.max(1, value)));

/** The class of a job's needs: jobs of the same class share a lane. */
export function laneClass(spec: Pick<JobSpec, 'resources' | 'requires' | 'gang'>): string {
  if (spec.gang) return 'gang';
  const { cores, memoryBytes } = spec.resources;
  return `${eighths(cores * 1000)}:${eighths(memoryBytes)}:${spec.requires.join(',')}`;
}

/**
 * What jobs of a lane are ordered by, smallest first. Effective priority is
 * `priority + waited / AGEING_MS`; as everybody's waiting grows alike, the order never changes.
 * @param readyAt ms since the epoch.
 */
export const laneRank = (priority: number, readyAt: number): number =>
  readyAt - priority * AGEING_MS;

export const millicores = (cores: number): number => Math.round(cores * 1000);
