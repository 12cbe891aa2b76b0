/**
 * This node as a member of its fleet: it joins, and renews its lease with what it publishes. A node
 * alone is the only member of its own store.
 *
 * A member whose lease ended, such as after a pause or while the store was away, joins again as
 * another incarnation: what was leased to the one before may belong to another member now.
 */
import { SkeinError } from '@skein/api';
import type { Member, MemberInfo, Membership, State } from '@skein/state';

/** A crashed node is gone after this, in milliseconds; a store may be away for as long without a new incarnation. */
const LEASE_MS = 10_000;
/** Between two renewals with other members, which read this one's record. */
const TOGETHER_MS = 1000;
/** Between two renewals alone. */
const ALONE_MS = 3000;

export interface OwnMembership {
  /** This node's incarnation; another one after each join, and empty before the first. */
  readonly incarnation: string;
  /** The live members at the last renewal. Before the first there is only this one. */
  readonly members: readonly Member[];
  /** Joins. A store that is away or full is tried again later. @throws SkeinError STATE_TOO_NEW. */
  start(): Promise<void>;
  /** Reads the members now. @throws SkeinError STORE_UNREACHABLE. */
  read(): Promise<readonly Member[]>;
  /** Publishes this node's report on itself, and reads the members. Never rejects. */
  publish(): Promise<void>;
  /** Leaves the fleet. */
  close(): Promise<void>;
}

export interface MembershipOptions {
  readonly state: Pick<State, 'members'>;
  readonly info: () => MemberInfo;
  readonly logger: { warn(details: object, message: string): void };
}

export function createMembership({ state, info, logger }: MembershipOptions): OwnMembership {
  let own: Membership | undefined;
  let members: readonly Member[] | undefined;
  let timer: NodeJS.Timeout | undefined;
  let publishing: Promise<void> | undefined;
  let phase: 'created' | 'started' | 'closed' = 'created';

  async function renew(): Promise<void> {
    if (own !== undefined && !(await own.renew(info()))) {
      logger.warn({ incarnation: own.incarnation }, 'The lease of this member has ended.');
      own = undefined;
    }
    if (phase === 'closed') return;
    own ??= await state.members.join(info(), LEASE_MS);
    members = await state.members.list();
  }

  /** One renewal at a time; what changes meanwhile is published by the next one. */
  const publish = (): Promise<void> =>
    (publishing ??= renew()
      .catch((err: unknown) => logger.warn({ err }, 'This member could not renew its lease.'))
      .finally(() => (publishing = undefined)));

  function schedule(): void {
    if (phase !== 'started') return;
    const everyMs = (members?.length ?? 1) > 1 ? TOGETHER_MS : ALONE_MS;
    timer = setTimeout(() => void publish().then(schedule), everyMs).unref();
  }

  function alone(): Member[] {
    const now = new Date().toISOString();
    return [{ ...info(), incarnation: own?.incarnation ?? '', joinedAt: now, renewedAt: now }];
  }

  return {
    get incarnation() {
      return own?.incarnation ?? '';
    },
    get members() {
      return members ?? alone();
    },
    async start() {
      phase = 'started';
      try {
        await renew();
      } catch (error) {
        if (error instanceof SkeinError && error.code === 'STATE_TOO_NEW') throw error;
        logger.warn({ err: error }, 'This member could not join its fleet yet.');
      }
      schedule();
    },
    read: async () => (members = await state.members.list()),
    async publish() {
      if (phase === 'started') await publish();
    },
    async close() {
      phase = 'closed';
      clearTimeout(timer);
      await publishing;
      await own
        ?.leave()
        .catch((err: unknown) => logger.warn({ err }, 'This member could not leave its fleet.'));
    },
  };
}
