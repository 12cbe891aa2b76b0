import type { LeaseStore } from '../leases/leases.ts';
import type { ShareStore } from '../leases/shares.ts';
import type { Calls } from './calls.ts';

export function leaseCalls({ run }: Calls): LeaseStore & ShareStore {
  return {
    async acquireLease(name, holder, ttlMs) {
      const token = (await run('acquire-lease', name, holder, ttlMs)) as number;
      return token === 0 ? undefined : token;
    },
    async renewLease({ name, token }, ttlMs) {
      return (await run('renew-lease', name, token, ttlMs)) === 1;
    },
    async releaseLease({ name, token }) {
      await run('release-lease', name, token);
    },
    async leaseHolder(name) {
      return ((await run('lease-holder', name)) as string | null) ?? undefined;
    },
    async shareClaims(limit) {
      const rows = (await run('share-claims', limit)) as [string, string, string][];
      return rows.map(([member, demand, share]) => ({
        member,
        demand: Number(demand),
        share: Number(share),
      }));
    },
    async claimShare(limit, { member, demand, share }, total, ttlMs) {
      return Number(await run('claim-share', limit, member, demand, share, total, ttlMs));
    },
  };
}
