/** The rest of a worker's offer while it is being filled. */
import type { WorkerOffer } from '../../contract.ts';
import type { JobRow } from './job-row.ts';
import type { ClaimView } from './job-view.ts';

export interface Capacity {
  readonly offer: WorkerOffer;
  millicores: number;
  memoryBytes: number;
  places: number;
  readonly claims: ClaimView[];
}

export const fits = (
  capacity: Capacity,
  needs: Pick<JobRow, 'millicores' | 'memory_bytes'>,
): boolean =>
  capacity.places > 0 &&
  needs.millicores <= capacity.millicores &&
  needs.memory_bytes <= capacity.memoryBytes;

export function occupy(
  capacity: Capacity,
  needs: Pick<JobRow, 'millicores' | 'memory_bytes'>,
): void {
  capacity.millicores -= needs.millicores;
  capacity.memoryBytes -= needs.memory_bytes;
  capacity.places -= 1;
}

export const hasLabels = (offer: WorkerOffer, requires: readonly string[]): boolean =>
  requires.every((label) => offer.labels.includes(label));
