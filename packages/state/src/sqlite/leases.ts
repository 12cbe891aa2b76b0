import { SkeinError } from '@skein/api/errors';
import type { Fence, LeaseStore } from '../leases/leases.ts';
import type { Claim } from '../leases/fair-share.ts';
import type { ShareStore } from '../leases/shares.ts';
import type { Database } from './database.ts';

/** Call it inside the transaction of a fenced write. @throws SkeinError LEASE_LOST. */
export type CheckFence = (fence: Fence | undefined) => void;

export function leaseTable(
  database: Database,
  clock: () => number,
): LeaseStore & { readonly checkFence: CheckFence } {
  const held = database.prepare('SELECT * FROM leases WHERE name = :name AND ends_at > :now');
  const take = database.prepare(
    `INSERT OR REPLACE INTO leases
     VALUES (:name, :holder, (SELECT coalesce(max(token), 0) + 1 FROM leases), :ends)
     RETURNING token`,
  );
  const prolong = database.prepare(
    `UPDATE leases SET ends_at = :ends
     WHERE name = :name AND token = :token AND ends_at > :now`,
  );
  const end = database.prepare(
    'UPDATE leases SET ends_at = 0 WHERE name = :name AND token = :token',
  );
  const current = (name: string) =>
    held.get({ name, now: clock() }) as { holder: string; token: number } | undefined;

  return {
    checkFence(fence) {
      if (fence === undefined || current(fence.name)?.token === fence.token) return;
      throw new SkeinError(
        'LEASE_LOST',
        `The lease "${fence.name}" with token ${fence.token} has ended.`,
      );
    },
    async acquireLease(name, holder, ttlMs) {
      return database.write('crash', () => {
        const now = current(name);
        if (now !== undefined && now.holder !== holder) return undefined;
        const { token } = take.get({ name, holder, ends: clock() + ttlMs }) as { token: number };
        return token;
      });
    },
    async renewLease({ name, token }, ttlMs) {
      const now = clock();
      return database.write(
        'crash',
        () => prolong.run({ name, token, now, ends: now + ttlMs }).changes === 1,
      );
    },
    async releaseLease({ name, token }) {
      database.write('crash', () => end.run({ name, token }));
    },
    async leaseHolder(name) {
      return database.read(() => current(name)?.holder);
    },
  };
}

export function shareTable(database: Database, clock: () => number): ShareStore {
  const removeEnded = database.prepare('DELETE FROM shares WHERE ends_at <= :now');
  const live = database.prepare(
    'SELECT member, demand, share FROM shares WHERE limit_id = :limit AND ends_at > :now',
  );
  const others = database.prepare(
    `SELECT coalesce(sum(share), 0) AS sum FROM shares
     WHERE limit_id = :limit AND member <> :member AND ends_at > :now`,
  );
  const put = database.prepare(
    'INSERT OR REPLACE INTO shares VALUES (:limit, :member, :demand, :share, :ends)',
  );
  return {
    async shareClaims(limit) {
      return database.read(() =>
        (live.all({ limit, now: clock() }) as unknown as Claim[]).map((row) => ({ ...row })),
      );
    },
    async claimShare(limit, { member, demand, share: wanted }, total, ttlMs) {
      return database.write('crash', () => {
        const now = clock();
        removeEnded.run({ now });
        const { sum } = others.get({ limit, member, now }) as { sum: number };
        const share = Math.max(0, Math.min(wanted, total - sum));
        put.run({ limit, member, demand, share, ends: now + ttlMs });
        return share;
      });
    },
  };
}
