/**
 * The free capacity of a worker. Fractions of cores are exact, so that everything that is given
 * back adds up.
 */
import { usableCores, usableMemoryBytes } from '@skein/api/machine';
import type { Job, JobSpec, WorkerOffer, WorkerView } from '../contract.ts';
import { MAP_TASKS } from '../map/map-run.ts';

/** Cores are counted in thousandths, so that a tenth taken ten times is one core and no less. */
const MILLI = 1000;
/** Share of the usable memory that jobs may take: serving and the system live here too. */
const MEMORY_SHARE = 0.75;

/** A worker's default offer: what the machine, or its container, may use. */
export function machineCapacity(given: {
  readonly cores?: number | undefined;
  readonly memoryBytes?: number | undefined;
}): WorkerOffer['free'] {
  return {
    cores: given.cores ?? usableCores(),
    memoryBytes: given.memoryBytes ?? Math.floor(usableMemoryBytes() * MEMORY_SHARE),
  };
}

export function createCapacity(total: WorkerOffer['free']) {
  let milliCores = Math.round(total.cores * MILLI);
  let memoryBytes = total.memoryBytes;
  return {
    total,
    free: (): WorkerOffer['free'] => ({
      cores: Math.max(0, milliCores) / MILLI,
      memoryBytes: Math.max(0, memoryBytes),
    }),
    /** @returns a function that gives it back; idempotent. */
    take(resources: JobSpec['resources']): () => void {
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

/** A conductor would leave the core unused that a fraction of it is missing from. */
export function takenBy({ work, resources }: Pick<Job, 'work' | 'resources'>): Job['resources'] {
  const waits = work.kind === 'task' && 'offered' in work.module && MAP_TASKS.get(work.task)?.waits;
  return waits === true ? { ...resources, cores: 0 } : resources;
}

/** The capacity that jobs have left of workers. */
export function freeOf(
  workers: readonly Pick<WorkerView, 'worker' | 'total'>[],
  running: readonly Pick<Job, 'work' | 'resources' | 'attempts'>[],
): { readonly worker: string; readonly free: WorkerOffer['free'] }[] {
  const left = new Map(workers.map(({ worker, total }) => [worker, createCapacity(total)]));
  for (const job of running) left.get(job.attempts.at(-1)?.worker ?? '')?.take(takenBy(job));
  return [...left].map(([worker, { free }]) => ({ worker, free: free() }));
}
