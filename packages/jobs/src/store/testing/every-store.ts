/** Runs the tests of a topic over both backends: each test has a store of its own, and a clock that only it moves. */
import type { ErrorCode } from '@skein/api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest';
import type { JobStore, WorkerOffer } from '../../contract.ts';
import { BACKENDS, offer, type Place } from './fixtures.ts';

/** The time at which every test begins, ms since the epoch. */
export const START = Date.UTC(2026, 2, 1, 12);

/** The store of the running test. */
export interface TestStore {
  readonly store: JobStore;
  /** The store's clock; set it to move time without a tick. */
  now: number;
  /** Whether stores on the same data notify each other at once. */
  readonly shared: boolean;
  state(id: string): Promise<string | undefined>;
  /** The ids of the jobs that can be claimed. */
  ids(more?: Partial<WorkerOffer>): Promise<string[]>;
  /** Moves the clock forward, and ticks. */
  pass(ms: number): Promise<number>;
  /** The same data in another store, which the caller closes. */
  another(): Promise<JobStore>;
  /** Closes the store and opens it again on its data. */
  reopen(): Promise<void>;
}

export function overEveryStore(topic: string, tests: (at: TestStore) => void): void {
  describe.each(BACKENDS)(`${topic}, in a store of jobs in $name`, ({ skip, ...backend }) => {
    let place: Place;
    let store: JobStore;
    let stores = 0;
    const another = () => place.open(`s${stores}`, () => at.now);
    const at: TestStore = {
      get store() {
        return store;
      },
      now: START,
      get shared() {
        return place.shared;
      },
      state: async (id) => (await store.job(id))?.state,
      ids: async (more = {}) => (await store.claim(offer(more))).map((claim) => claim.job.id),
      async pass(ms) {
        at.now += ms;
        return store.tick();
      },
      another,
      async reopen() {
        await store.close();
        store = await another();
      },
    };
    beforeAll(async () => {
      if (!skip) place = await backend.make();
    });
    afterAll(() => place?.destroy());
    beforeEach(async (context) => {
      if (skip) return context.skip();
      at.now = START;
      stores += 1;
      store = await another();
    });
    afterEach(() => store?.close());
    tests(at);
  });
}

export const code = (expected: ErrorCode): unknown =>
  expect.objectContaining({ name: 'SkeinError', code: expected });
