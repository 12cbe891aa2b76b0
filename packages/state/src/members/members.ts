/**
 * The members of a fleet: nodes that hold a lease.
 *
 * A member is identified by its incarnation, which is random and made at each start. It is never
 * identified by its address, which another node may have taken over. Leases run on the store's
 * clock, so the clocks of the members decide nothing.
 */
import { randomUUID } from 'node:crypto';
import type { Timestamp } from '../records.ts';

/** Schemas that this version of Skein reads, and the first that it writes. A newer schema is one that `finalise` allows. */
export const SCHEMA: { readonly reads: readonly [oldest: number, newest: number] } = {
  reads: [1, 1],
};

export interface MemberInfo {
  /** For operators, such as the name of the host. Not an identity. */
  readonly name: string;
  /** The URL at which peers call it, http(s). Empty: peers cannot call it. */
  readonly address: string;
  /** The version of Skein. */
  readonly version: string;
  /** Which schemas of the shared state it reads: the oldest and the newest. */
  readonly schema: { readonly reads: readonly [oldest: number, newest: number] };
  readonly memoryBytes: number;
  readonly cores: number;
  readonly accelerators: readonly string[];
  readonly loaded: readonly {
    readonly model: string;
    readonly version: string;
    readonly digest: string;
  }[];
  /** The node's load, published with each renewal, as plain JSON. */
  readonly load?: Readonly<Record<string, unknown>> | undefined;
}

export interface Member extends MemberInfo {
  readonly incarnation: string;
  readonly joinedAt: Timestamp;
  readonly renewedAt: Timestamp;
}

export interface Membership {
  /** Random; another one after each start. */
  readonly incarnation: string;
  /**
   * Prolongs the lease and publishes the current information.
   * @returns false when the lease had ended: the member has to join again.
   */
  renew(info: MemberInfo): Promise<boolean>;
  leave(): Promise<void>;
}

export interface Members {
  /** @throws SkeinError STATE_TOO_NEW when the member does not read the schema that the fleet writes. */
  join(info: MemberInfo, leaseMs: number): Promise<Membership>;
  /** Members with a live lease, in the order in which they joined. */
  list(): Promise<Member[]>;
  /** The schema that the fleet writes. */
  schema(): Promise<number>;
  /**
   * From now on the fleet writes the newest schema that all its live members read, and a member
   * that does not read it can no longer join. @returns that schema.
   */
  finalise(): Promise<number>;
}

/** The members of a store, as a backend keeps them. */
export interface MemberStore {
  /** @throws SkeinError STATE_TOO_NEW. */
  joinMember(incarnation: string, info: MemberInfo, leaseMs: number): Promise<void>;
  renewMember(incarnation: string, info: MemberInfo, leaseMs: number): Promise<boolean>;
  leaveMember(incarnation: string): Promise<void>;
  listMembers(): Promise<Member[]>;
  schema(): Promise<number>;
  finalise(): Promise<number>;
}

export function membersOver(store: MemberStore): Members {
  return {
    async join(info, leaseMs) {
      const incarnation = randomUUID();
      await store.joinMember(incarnation, info, leaseMs);
      return {
        incarnation,
        renew: (now) => store.renewMember(incarnation, now, leaseMs),
        leave: () => store.leaveMember(incarnation),
      };
    },
    list: () => store.listMembers(),
    schema: () => store.schema(),
    finalise: () => store.finalise(),
  };
}

/** The newest schema that all members read; `written` when there is none. Never an older one than `written`. */
export function newestForAll(members: readonly MemberInfo[], written: number): number {
  const newest = Math.min(...members.map((each) => each.schema.reads[1]));
  return Number.isFinite(newest) ? Math.max(written, newest) : written;
}
