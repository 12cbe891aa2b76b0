/** The backends of `FederationStore`: a line each. The contract test and the model run over all of them. */
import { type Backend, backendOf, FLEET_NAMESPACE } from '@skein/state';
import type { FederationStore } from './federation-store.ts';
import { storeOverRows } from './store-over-rows.ts';

export interface FederationStoreOptions {
  /** Federations of different namespaces share a server without seeing each other. Default: `fleet`. */
  readonly namespace?: string | undefined;
  /** ms since the epoch. */
  readonly clock?: (() => number) | undefined;
}

export const FEDERATION_STORES = {
  sqlite: {
    schemes: [],
    async open(path, { clock }) {
      const { openSqliteRows } = await import('./sqlite-rows.ts');
      return storeOverRows(await openSqliteRows(path), clock);
    },
  },
  redis: {
    schemes: ['redis://', 'rediss://'],
    async open(url, { namespace = FLEET_NAMESPACE, clock }) {
      const { openRedisRows } = await import('./redis/redis-rows.ts');
      return storeOverRows(await openRedisRows(url, namespace), clock);
    },
  },
} as const satisfies Readonly<Record<string, Backend<FederationStoreOptions, FederationStore>>>;

/** @throws SkeinError USAGE, and what its backend throws. */
export async function openFederationStore(
  address: string,
  options: FederationStoreOptions = {},
): Promise<FederationStore> {
  return backendOf(FEDERATION_STORES, address).open(address, options);
}
