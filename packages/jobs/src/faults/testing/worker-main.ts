/**
 * A process with a store and a worker, to be killed: an embedded node over SQLite, or a member of a
 * fleet over Redis. Its parent calls the store through it, as clients call a node.
 */
import { openDriver } from '@skein/sandbox';
import { openFileArtifacts } from '@skein/state';
import type { JobStore } from '../../contract.ts';
import { openJobStore } from '../../store/open-store.ts';
import { startWorker } from '../../worker/worker.ts';

export interface WorkerMainOptions {
  /** The address of the store. */
  readonly store: string;
  readonly blobs: string;
  readonly leaseMs: number;
  readonly isolated: boolean;
}

export interface StoreCall {
  readonly id: number;
  readonly method: keyof JobStore;
  readonly args: readonly unknown[];
}

export type FromWorkerMain =
  | { readonly ready: string }
  | { readonly id: number; readonly value?: unknown; readonly error?: string };

export function openStore(address: string): Promise<JobStore> {
  return openJobStore(address, { namespace: 'faults' });
}

if (import.meta.main) {
  const {
    store: place,
    blobs,
    leaseMs,
    isolated,
  } = JSON.parse(process.argv[2]!) as WorkerMainOptions;
  const send = (message: FromWorkerMain): void => void process.send!(message);
  const store = await openStore(place);
  const worker = await startWorker({
    store,
    artifacts: await openFileArtifacts(blobs, { shared: true }),
    sandboxes: [await openDriver(isolated ? 'bubblewrap' : 'process')],
    queues: ['default'],
    capacity: { cores: 4, memoryBytes: 2 ** 31 },
    leaseMs,
    graceMs: 1000,
    log: () => undefined,
  });
  process.on('message', ({ id, method, args }: StoreCall) => {
    const call = store[method] as (...args: readonly unknown[]) => Promise<unknown>;
    call(...args).then(
      (value) => send({ id, value }),
      (error: unknown) => send({ id, error: String(error) }),
    );
  });
  process.once('disconnect', () => process.exit(0));
  send({ ready: worker.id });
}
