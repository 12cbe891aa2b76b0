/** The backends of `State`: a line each. The contract test runs over all of them. */
import { backendOf, type Backend } from './backend.ts';
import type { State } from './contract.ts';
import { openSqliteState } from './sqlite/sqlite-state.ts';

/** The namespace of a store that nodes and workers use that name no other. */
export const FLEET_NAMESPACE = 'fleet';

export interface StateOptions {
  /** States of different namespaces share a server without seeing each other. Default: `fleet`. */
  readonly namespace?: string | undefined;
  /** For tests: ms since the epoch. */
  readonly clock?: (() => number) | undefined;
}

export const STATE_BACKENDS = {
  sqlite: { schemes: [], open: openSqliteState },
  redis: {
    schemes: ['redis://', 'rediss://'],
    async open(url, { namespace = FLEET_NAMESPACE, clock }) {
      const { openRedisState } = await import('./redis/redis-state.ts');
      return openRedisState(url, { namespace, clock });
    },
  },
} as const satisfies Readonly<Record<string, Backend<StateOptions, State>>>;

/** @throws SkeinError USAGE, and what its backend throws. */
export async function openState(address: string, options: StateOptions = {}): Promise<State> {
  return backendOf(STATE_BACKENDS, address).open(address, options);
}

/** The state that a fleet shares: not a file of this machine. @throws SkeinError USAGE, and what its backend throws. */
export async function openFleetState(address: string, options: StateOptions = {}): Promise<State> {
  return backendOf(STATE_BACKENDS, address, 'network').open(address, options);
}
