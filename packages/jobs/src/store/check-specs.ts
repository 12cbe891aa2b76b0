/** Checks of what a store is given that need no look into it. */
import { SkeinError } from '@skein/api/errors';
import type { JobSpec, TenantSettings } from '../contract.ts';
import { ENQUEUE_BATCH } from './bounds.ts';

const refuse = (message: string): never => {
  throw new SkeinError('REQUEST_INVALID', message);
};

/** @throws SkeinError REQUEST_INVALID. */
export function checkSpecs(specs: readonly (JobSpec & { readonly id?: string })[]): void {
  if (specs.length > ENQUEUE_BATCH) {
    refuse(`${specs.length} jobs in one call; at most ${ENQUEUE_BATCH} are accepted.`);
  }
  const ids = new Set<string>();
  for (const spec of specs) {
    const { name, resources, retry, gang, id } = spec;
    if (!(resources.cores > 0) || !(resources.memoryBytes >= 0)) {
      refuse(`Job "${name}" asks for ${resources.cores} cores, ${resources.memoryBytes} bytes.`);
    }
    if (!(retry.maxAttempts >= 1)) {
      refuse(`Job "${name}" has retry.maxAttempts ${retry.maxAttempts}; it must be at least 1.`);
    }
    if (!Number.isFinite(spec.priority)) refuse(`Job "${name}" has priority ${spec.priority}.`);
    const label = spec.requires.find((each) => each.includes(','));
    if (label !== undefined) refuse(`Job "${name}" requires "${label}": a label has no comma.`);
    if (gang && !(gang.rank >= 0 && gang.rank < gang.size)) {
      refuse(`Job "${name}" has rank ${gang.rank} in a gang of ${gang.size}.`);
    }
    if (id === undefined) continue;
    if (ids.has(id)) refuse(`The id "${id}" is given twice.`);
    ids.add(id);
  }
}

/** @throws SkeinError REQUEST_INVALID. */
export function checkTenant({ tenant, weight }: TenantSettings): void {
  if (!(weight > 0)) refuse(`Tenant "${tenant}" has weight ${weight}; it must be above 0.`);
}
