/** A job as the arguments that `scripts/shared/enqueue.lua` reads. */
import type { JobSpec } from '../../contract.ts';
import { newJobId } from '../job-id.ts';
import { laneClass, millicores } from '../lane.ts';

const text = (value: string | number | undefined): string =>
  value === undefined ? '' : String(value);

export function specArguments(given: JobSpec & { readonly id?: string }, now: number): string[] {
  const { id, ...spec } = given;
  return [
    text(id),
    id ?? newJobId(now),
    JSON.stringify(spec),
    spec.name,
    spec.queue,
    spec.tenant,
    laneClass(spec),
    text(spec.priority),
    text(millicores(spec.resources.cores)),
    text(spec.resources.memoryBytes),
    text(spec.retentionMs),
    text(spec.group),
    text(spec.idempotencyKey),
    text(spec.cacheKey),
    text(spec.notBefore),
    text(spec.deadline),
    spec.gang ? JSON.stringify(spec.gang) : '',
    text(spec.parents.length),
    ...spec.parents,
  ];
}
