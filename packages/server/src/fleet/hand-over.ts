/**
 * Whether the other members know that this one gives a deployment up, and one of them holds it.
 *
 * A member reads the records of all after each renewal of its own. One that has renewed after this
 * member published that it goes sends it nothing more. The order, publish and then read, is what keeps a last
 * copy: of members that give up the same deployment, the last one to publish it finds no other.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Member } from '@skein/state';
import type { OwnMembership } from './membership.ts';

/** Time between two reads, in milliseconds. */
const READ_EVERY_MS = 100;
/** Members that have not renewed for so long, in milliseconds, are gone with their leases; a store, away. */
const PATIENCE_MS = 10_000;

type Membership = Pick<OwnMembership, 'incarnation' | 'publish' | 'read'>;

/**
 * @param deployment which this member publishes no more.
 * @param versions of it that the same other member must have loaded.
 * @returns false too if that is not known in time, such as while the store is away.
 */
export async function isHandedOver(
  membership: Membership,
  deployment: string,
  versions: readonly string[],
  closing: AbortSignal,
): Promise<boolean> {
  const end = performance.now() + PATIENCE_MS;
  let publishedAt: string | undefined;
  while (!closing.aborted && performance.now() < end) {
    // A renewal that is under way may have begun before: the next one publishes it.
    if (publishedAt === undefined) await membership.publish();
    const members = await membership.read().catch(() => []);
    const own = members.find(({ incarnation }) => incarnation === membership.incarnation);
    if (own !== undefined && !holds(own, deployment)) publishedAt ??= own.renewedAt;
    const others = members.filter((member) => member !== own);
    if (
      publishedAt !== undefined &&
      own !== undefined &&
      others.every(({ renewedAt }) => renewedAt > publishedAt!)
    ) {
      return others.some(
        (member) =>
          holds(member, deployment) &&
          versions.every((version) => holds(member, deployment, version)),
      );
    }
    await sleep(READ_EVERY_MS, undefined, { ref: false });
  }
  return false;
}

function holds({ loaded, address }: Member, deployment: string, version?: string): boolean {
  return (
    address !== '' &&
    loaded.some(
      (each) => each.model === deployment && (version === undefined || each.version === version),
    )
  );
}
