/** Where each backend of `FederationStore` keeps its data in a test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import type { FEDERATION_STORES } from '../store/open-store.ts';

interface Place {
  /** Another one for each name. */
  at(name: string): { readonly address: string; readonly namespace?: string };
  destroy(): Promise<void>;
}

export const PLACES: Readonly<
  Record<keyof typeof FEDERATION_STORES, { readonly skip: boolean; make(): Promise<Place> }>
> = {
  sqlite: {
    skip: false,
    async make() {
      const folder = await mkdtemp(join(tmpdir(), 'skein-federations-'));
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
