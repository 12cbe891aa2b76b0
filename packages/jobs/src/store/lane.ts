/**
 * The lanes in which ready jobs wait.
 *
 *     queue ─┬─ tenant ─┬─ lane: what its jobs need (labels, cores, memory)
 *            │          │     job ─ job ─ job …     by rank
 *            │          └─ lane of gangs: one entry per gang, whatever its members need
 *
 * Jobs of a lane have similar needs: when the first one does not fit an offer, the others rarely
 * do, and another lane is tried. So a job that fits no worker blocks no other job. Needs are
 * rounded to eighths of an octave, which bounds the lanes of a tenant however its jobs differ;
 * inside a lane a bounded look-ahead finds a job that fits.
 */
import type { JobSpec } from '../contract.ts';
import { AGEING_MS } from './bounds.ts';

const eighths = (value: number): number => Math.ceil(8 * Math.log2(Math.max(1, value)));

/** The class of a job's needs: jobs of one class share a lane. */
export function laneClass(spec: Pick<JobSpec, 'resources' | 'requires' | 'gang'>): string {
  if (spec.gang) return 'gang';
  const { cores, memoryBytes } = spec.resources;
  return `${eighths(cores * 1000)}:${eighths(memoryBytes)}:${spec.requires.join(',')}`;
}

/**
 * The rank of a job in its lane, smallest first. Effective priority is `priority + waited /
 * AGEING_MS`; the waiting time of all jobs grows at the same rate, so the order never changes.
 * @param readyAt ms since the epoch.
 */
export const laneRank = (priority: number, readyAt: number): number =>
  readyAt - priority * AGEING_MS;

export const millicores = (cores: number): number => Math.round(cores * 1000);
