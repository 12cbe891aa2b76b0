/** The rest of a worker's offer while it is being filled. */
import type { WorkerOffer } from '../../contract.ts';
import type { JobRow } from './job-row.ts';
import type { ClaimView } from './job-view.ts';

export interface Room {
  readonly offer: WorkerOffer;
  millicores: number;
  memoryBytes: number;
  places: number;
  readonly claims: ClaimView[];
}

export const fits = (room: Room, needs: Pick<JobRow, 'millicores' | 'memory_bytes'>): boolean =>
  room.places > 0 && needs.millicores <= room.millicores && needs.memory_bytes <= room.memoryBytes;

export function occupy(room: Room, needs: Pick<JobRow, 'millicores' | 'memory_bytes'>): void {
  room.millicores -= needs.millicores;
  room.memoryBytes -= needs.memory_bytes;
  room.places -= 1;
}

export const hasLabels = (offer: WorkerOffer, requires: readonly string[]): boolean =>
  requires.every((label) => offer.labels.includes(label));
