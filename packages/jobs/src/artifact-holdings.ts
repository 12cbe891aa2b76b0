/**
 * Artifacts by tenant: the artifacts that a tenant has uploaded and those that its jobs have left
 * behind. The tenant may read these, and their bytes count against its quota.
 *
 * Equal content is stored once, but each tenant that holds it pays for all of it and has to upload
 * all of it first. So neither the answer nor the cost of an upload reveals whether another tenant has
 * the same content. A digest alone gives no access.
 */
import { SkeinError } from '@skein/api/errors';
import { SharedBudget, type ShareOf } from '@skein/api/shared-budget';
import type { ArtifactStore } from '@skein/state';
import type { JobStore } from './contract.ts';

export interface ArtifactHoldings {
  /**
   * A view of the same store: the tenant holds, and pays for, every artifact that is put through
   * it.
   */
  of(tenant: string): ArtifactStore;
  /** @throws SkeinError ARTIFACT_UNKNOWN also for an artifact that only another tenant holds. */
  requireHeld(tenant: string, digests: readonly string[]): Promise<void>;
  /** Drops an artifact that has been removed. */
  drop(digest: string): Promise<void>;
}

export interface HoldingsOptions {
  readonly store: Pick<JobStore, 'holdArtifact' | 'lackedArtifacts' | 'dropArtifact'>;
  readonly artifacts: ArtifactStore;
  /** Default: no bound. */
  readonly budget?: SharedBudget | undefined;
}

export function createHoldings({ store, artifacts, budget }: HoldingsOptions): ArtifactHoldings {
  return {
    of: (tenant) => ({
      ...artifacts,
      async put(content, maxBytes) {
        const hold = budget?.hold(tenant);
        async function* counted(): AsyncGenerator<Uint8Array> {
          for await (const chunk of content) {
            hold?.take(chunk.byteLength);
            yield chunk;
          }
        }
        try {
          const stored = await artifacts.put(hold ? counted() : content, maxBytes);
          const isNew = await store.holdArtifact(tenant, stored.digest, stored.sizeBytes);
          // Held already, and paid for.
          if (!isNew) hold?.release();
          return stored;
        } catch (error) {
          hold?.release();
          throw error;
        }
      },
    }),
    async requireHeld(tenant, digests) {
      const [lacked] = await store.lackedArtifacts(tenant, [...new Set(digests)]);
      if (lacked === undefined) return;
      throw new SkeinError('ARTIFACT_UNKNOWN', `There is no artifact sha256:${lacked}.`);
    },
    async drop(digest) {
      for (const { tenant, bytes } of await store.dropArtifact(digest)) budget?.give(tenant, bytes);
    },
  };
}

/** @param maxBytes of all tenants together; Infinity where the place has no bound of its own. */
export function artifactBudget(maxBytes: number, shareOf?: ShareOf): SharedBudget {
  return new SharedBudget({
    name: 'artifacts',
    unit: 'bytes',
    max: maxBytes,
    ...(shareOf === undefined ? {} : { shareOf }),
    refuse: ({ tenant, amount, heldByTenant, tenantLimit }) =>
      new SkeinError(
        'ARTIFACT_QUOTA',
        `Tenant "${tenant}" holds artifacts of ${heldByTenant} bytes and may hold ${tenantLimit}; ${amount} more were sent.`,
      ),
  });
}
