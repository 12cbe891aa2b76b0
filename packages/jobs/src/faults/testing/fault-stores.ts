/** The stores that every fault is tried on: each of the registry. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BACKENDS, type Place } from '../../store/testing/fixtures.ts';

export interface FaultPlace extends AsyncDisposable {
  /** Its address. */
  readonly store: string;
  readonly blobs: string;
  readonly server: Place['server'];
}

export const FAULT_STORES = BACKENDS.filter(({ skip }) => !skip).map((backend) => ({
  ...backend,
  /** Processes that work on one store at once. */
  workers: backend.shared ? 2 : 1,
  async open(): Promise<FaultPlace> {
    const folder = await mkdtemp(join(tmpdir(), 'skein-faults-'));
    const place = await backend.make();
    return {
      store: place.address('faults'),
      server: place.server,
      blobs: join(folder, 'blobs'),
      async [Symbol.asyncDispose]() {
        await place.destroy();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
}));
