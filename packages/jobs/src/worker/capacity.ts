/**
 * The free capacity of a worker. Fractions of cores are exact, so that everything that is given
 * back adds up.
 */
import { usableCores, usableMemoryBytes } from '@skein/api/machine';
import type { JobSpec, WorkerOffer } from '../contract.ts';

export interface Capacity {
  readonly total: WorkerOffer['free'];
  free(): WorkerOffer['free'];
  /** @returns a function that gives it back; idempotent. */
  take(resources: JobSpec['resources']): () => void;
}

/** Cores are counted in thousandths, so that a tenth taken ten times is one core and no less. */
const MILLI = 1000;
/** Share of the usable memory that jobs may take: serving and the system live here too. */
const MEMORY_SHARE = 0.75;

/** What a worker offers where it is not told: what the machine, or its container, may use. */
export function machineCapacity(given: {
  readonly cores?: number | undefined;
  readonly memoryBytes?: number | undefined;
}): WorkerOffer['free'] {
  return {
    cores: given.cores ?? usableCores(),
    memoryBytes: given.memoryBytes ?? Math.floor(usableMemoryBytes() * MEMORY_SHARE),
  };
}

export function createCapacity(total: WorkerOffer['free']): Capacity {
  let milliCores = Math.round(total.cores * MILLI);
  let memoryBytes = total.memoryBytes;
  return {
    total,
    free: () => ({ cores: Math.max(0, milliCores) / MILLI, memoryBytes: Math.max(0, memoryBytes) }),
    take(resources) {
      const taken = Math.round(resources.cores * MILLI);
      milliCores -= taken;
      memoryBytes -= resources.memoryBytes;
      let given = false;
      return () => {
        if (given) return;
        given = true;
        milliCores += taken;
        memoryBytes += resources.memoryBytes;
      };
    },
  };
}
