/** Runs the tests of a topic over every backend of `State`: each test has a state of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeploymentSettings, type ErrorCode } from '@skein/api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest';
import { startRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import type { State } from '../contract.ts';
import type { MemberInfo } from '../members/members.ts';
import { openState, type STATE_BACKENDS, type StateOptions } from '../open-state.ts';
import type { VersionRecord } from '../records.ts';

/** Where states outlive their connections. */
interface Place {
  /** Another one for each name. @returns an address, and the namespace in it. */
  at(name: string): { readonly address: string; readonly namespace?: string };
  destroy(): Promise<void>;
}

export const PLACES: Readonly<
  Record<
    keyof typeof STATE_BACKENDS,
    { readonly skip: boolean; readonly make: () => Promise<Place> }
  >
> = {
  sqlite: {
    skip: false,
    async make() {
      const folder = await mkdtemp(join(tmpdir(), 'skein-state-'));
      return {
        at: (name) => ({ address: join(folder, `${name}.sqlite`) }),
        destroy: () => rm(folder, { recursive: true }),
      };
    },
  },
  redis: {
    skip: requireComponent('redis').skip,
    async make() {
      const server = await startRedis();
      return {
        at: (namespace) => ({ address: server.url, namespace }),
        destroy: () => server.destroy(),
      };
    },
  },
};

/** The time at which every test begins, ms since the epoch. */
export const START = Date.UTC(2026, 2, 1, 12);

export interface TestState {
  /** The state of the running test. */
  readonly state: State;
  /** The clock of a store that has the test's. */
  now: number;
  /** The same state in another connection, which is closed after the test. */
  another(): Promise<State>;
  /** Closes the state and opens it again. */
  reopen(): Promise<void>;
  /** Another, empty state in its place. */
  renew(): Promise<void>;
}

/** @param clock `the test's`: time passes only when the test moves it, and SQLite runs without its thread. */
export function overEveryState(
  topic: string,
  tests: (at: TestState) => void,
  clock: 'its own' | "the test's" = 'its own',
): void {
  describe.each(Object.entries(PLACES))(`${topic}, in a state in %s`, (_, { skip, make }) => {
    let place: Place;
    let state: State;
    let count = 0;
    let opened: State[] = [];
    const open = async (): Promise<State> => {
      const { address, ...namespace } = place.at(`s${count}`);
      const time = clock === 'its own' ? {} : { clock: () => at.now };
      const options: StateOptions = { ...namespace, ...time };
      const made = await openState(address, options);
      opened.push(made);
      return made;
    };
    const at: TestState = {
      get state() {
        return state;
      },
      now: START,
      another: open,
      async renew() {
        await state.close();
        count += 1;
        state = await open();
      },
      async reopen() {
        await state.close();
        state = await open();
      },
    };
    beforeAll(async () => {
      if (!skip) place = await make();
    });
    afterAll(() => place?.destroy());
    beforeEach(async (context) => {
      if (skip) return context.skip();
      count += 1;
      at.now = START;
      state = await open();
    });
    afterEach(async () => {
      await Promise.all(opened.map((each) => each.close()));
      opened = [];
    });
    tests(at);
  });
}

export const code = (expected: ErrorCode): unknown =>
  expect.objectContaining({ name: 'SkeinError', code: expected });

export const settings = DeploymentSettings.parse({});
export const deployment = (name: string, version = '1') => ({
  name,
  settings,
  targets: [{ version, weight: 1 }],
});

export const digest = (seed: number): string => seed.toString(16).padStart(64, '0');
export const modelVersion = (
  model: string,
  seed: number,
): Omit<VersionRecord, 'version' | 'createdAt'> => ({
  model,
  kind: 'onnx',
  digest: digest(seed),
  sizeBytes: 1234,
  signature: {
    inputs: [{ name: 'x', type: 'float32', shape: ['batch', 4, null] }],
    outputs: [{ name: 'größe', type: 'string', shape: [] }],
  },
  metadata: { producer: 'a "quoted" name' },
});

export const memberInfo = (name: string, more: Partial<MemberInfo> = {}): MemberInfo => ({
  name,
  address: `http://${name}:8000`,
  version: '0.1.0',
  schema: { reads: [1, 1] },
  memoryBytes: 2 ** 33,
  cores: 4,
  accelerators: [],
  loaded: [{ model: 'm', version: '1', digest: digest(1) }],
  ...more,
});
