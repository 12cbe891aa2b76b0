/** The stores that every fault is tried on: each of the registry. */
import { join } from 'node:path';
import { BACKENDS, type Place } from '../../store/testing/fixtures.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

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
    const place = await backend.make();
    return {
      store: place.address('faults'),
      server: place.server,
      blobs: join(testFolder(), 'blobs'),
      [Symbol.asyncDispose]: () => place.destroy(),
    };
  },
}));
