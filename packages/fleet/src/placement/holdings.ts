/**
 * Decides which deployments of its fleet a member holds, by the records that all members publish. Pure, and
 * the same on every member that has read the same records, so nothing is agreed upon.
 *
 * A deployment is placed as one: all versions that take its traffic are on the same members. Its
 * memory is what the members have measured, and until one has, an estimate by its files. A loaded deployment
 * stays until its memory is needed, and until a member that it is placed on has loaded it: requests for
 * a deployment that a member does not hold go to one that does.
 */
import { formatBytes } from '@skein/api/units';
import { place, type Placement, type PlacementVersion, type Unplaced } from './placement.ts';
import { planResidency, type Resident } from './residency.ts';

/** The memory of a member, as it publishes it. */
export interface MemberHoldings {
  readonly id: string;
  /** Memory for models, in bytes. */
  readonly budgetBytes: number;
  /** Measured memory of one replica, in bytes, by the digest of its file. */
  readonly measured: Readonly<Record<string, number>>;
  /** Deployments that it holds. */
  readonly held: ReadonlySet<string>;
}

export interface PlacedDeployment {
  readonly id: string;
  /** Its versions, a rollout's included. */
  readonly versions: readonly {
    readonly digest: string;
    /** Memory of one replica until it is measured, in bytes. */
    readonly expectedBytes: number;
  }[];
  /** Replicas of each version that a member keeps at least. */
  readonly replicas: number;
}

export interface Holding {
  readonly isHere: boolean;
  /** How many other members hold it. */
  readonly others: number;
  /**
   * Whether this member is the last to give it up: of those that hold it, the first by placement, then by id.
   * All members that have read the same records agree on it, so that they seldom give up the same one.
   */
  readonly isKeeper: boolean;
  /** Whether another member holds it, or is to. */
  readonly isCovered: boolean;
  /** For operators. */
  readonly reason: string;
}

/** Memory of each deployment on one member, in bytes. */
export function memoryOf(
  deployments: readonly PlacedDeployment[],
  members: readonly MemberHoldings[],
): PlacementVersion[] {
  const measured = new Map<string, number>();
  for (const member of members) {
    for (const [digest, bytes] of Object.entries(member.measured)) {
      measured.set(digest, Math.max(bytes, measured.get(digest) ?? 0));
    }
  }
  return deployments.map(({ id, versions, replicas }) => ({
    id,
    bytes: versions.reduce((sum, { digest, expectedBytes }) => {
      const copy = measured.get(digest) ?? expectedBytes;
      return sum + copy * Math.max(1, replicas);
    }, 0),
  }));
}

/** Where everything goes; undefined: every member has memory for all of it. */
export function placeDeployments(
  members: readonly MemberHoldings[],
  needs: readonly PlacementVersion[],
): Placement | undefined {
  const all = needs.reduce((sum, { bytes }) => sum + bytes, 0);
  if (members.every(({ budgetBytes }) => all <= budgetBytes)) return undefined;
  return place(
    members.map(({ id, budgetBytes }) => ({ id, memoryBytes: budgetBytes })),
    needs,
  );
}

/**
 * @param self the member that decides, one of `members`.
 * @param residents what it has loaded, and what it still unloads.
 */
export function decideHoldings(
  self: string,
  members: readonly MemberHoldings[],
  deployments: readonly PlacedDeployment[],
  residents: readonly Resident[],
  now: number,
): ReadonlyMap<string, Holding> {
  const own = members.find(({ id }) => id === self)!;
  const others = (deployment: string): number =>
    members.filter(({ id, held }) => id !== self && held.has(deployment)).length;
  const needs = memoryOf(deployments, members);
  const placement = placeDeployments(members, needs);
  const unplaced = new Map(placement?.unplaced.map((each) => [each.version, each]));
  const loaded = new Set(residents.map(({ id }) => id));
  const holders = new Map(members.map(({ id, held }) => [id, held]));
  const isPlacedOn = (member: string, id: string): boolean =>
    placement === undefined || placement.members.get(id)!.includes(member);
  const keeperOf = (id: string): string | undefined =>
    members
      .filter(({ id: member, held }) => (member === self ? loaded.has(id) : held.has(id)))
      .map(({ id: member }) => member)
      .sort((a, b) => Number(isPlacedOn(b, id)) - Number(isPlacedOn(a, id)) || (a < b ? -1 : 1))[0];
  const isHeldWherePlaced = (id: string): boolean =>
    placement?.members.get(id)!.some((member) => holders.get(member)!.has(id)) === true;
  /** Until a member that it is placed on has loaded it, one of those that hold it answers for it. */
  const isKept = (id: string): boolean =>
    loaded.has(id) &&
    !isHeldWherePlaced(id) &&
    members.every(({ id: member, held }) => member >= self || !held.has(id));
  /** It has no place, but there may be memory between the others. */
  const isHomeless = (id: string): boolean => unplaced.has(id) && others(id) === 0;
  const wanted = needs
    .filter(({ id }) => isPlacedOn(self, id) || isKept(id) || isHomeless(id))
    .map((need) => ({ ...need, urgent: isPlacedOn(self, need.id) && others(need.id) === 0 }))
    // First the deployments that no member serves, last those without a place.
    .sort(
      (a, b) =>
        Number(b.urgent) - Number(a.urgent) ||
        Number(unplaced.has(a.id)) - Number(unplaced.has(b.id)),
    );
  // A resident counts with the memory that it is about to take: two versions during a rollout.
  const needed = new Map(needs.map(({ id, bytes }) => [id, bytes]));
  const growing = residents.map((resident) => ({
    ...resident,
    bytes: Math.max(resident.bytes, needed.get(resident.id) ?? 0),
  }));
  const plan = planResidency(wanted, growing, own.budgetBytes, now);
  // A load that needs the memory of a resident begins once the resident has gone.
  let free = own.budgetBytes - growing.reduce((sum, { bytes }) => sum + bytes, 0);
  const unload = new Set(plan.unload);
  const here = new Set([...loaded].filter((id) => !unload.has(id)));
  for (const { id, bytes } of wanted) {
    if (!plan.load.includes(id) || bytes > free) continue;
    here.add(id);
    free -= bytes;
  }
  return new Map(
    needs.map(({ id }): [string, Holding] => {
      const isHere = here.has(id);
      const reason = isHere
        ? 'it is placed here'
        : reasonOf(unplaced.get(id), isPlacedOn(self, id));
      const isCovered = members.some(
        ({ id: member, held }) => member !== self && (held.has(id) || isPlacedOn(member, id)),
      );
      return [
        id,
        { isHere, others: others(id), isKeeper: keeperOf(id) === self, isCovered, reason },
      ];
    }),
  );
}

export interface Eviction {
  /**
   * Copies to unload: another member holds each of them too. A copy that this member is the last to give up comes
   * after all others; among equals, first those that are not placed here, then the least recently used.
   */
  readonly unload: readonly string[];
  /** Whether that is enough; else nothing is to be unloaded. */
  readonly isEnough: boolean;
  /** Whether it will be enough once other members have loaded what is placed on them. */
  readonly isComing: boolean;
}

/**
 * The eviction that frees memory for a copy that may be loaded now; `residents` counts its memory already. A member that
 * gives up the same copy at the same time is noticed when they are handed over.
 * @param coming the copy that is loaded, so that it is not unloaded itself.
 */
export function evictionFor(
  coming: string,
  residents: readonly Resident[],
  budgetBytes: number,
  holdings: ReadonlyMap<string, Omit<Holding, 'reason'>>,
): Eviction {
  const over = residents.reduce((sum, { bytes }) => sum + bytes, 0) - budgetBytes;
  const rank = ({ id }: Resident): number => {
    const { isKeeper, isHere } = holdings.get(id)!;
    return 2 * Number(isKeeper) + Number(isHere);
  };
  const covered = residents
    .filter(({ id }) => id !== coming && holdings.get(id)?.isCovered === true)
    .sort((a, b) => rank(a) - rank(b) || a.usedAt - b.usedAt);
  let left = over;
  const unload: string[] = [];
  for (const { id, bytes } of covered) {
    if (left <= 0) break;
    if (holdings.get(id)!.others === 0) continue;
    unload.push(id);
    left -= bytes;
  }
  const isEnough = left <= 0;
  const isComing = covered.reduce((sum, { bytes }) => sum + bytes, 0) >= over;
  return { unload: isEnough ? unload : [], isEnough, isComing };
}

function reasonOf(unplaced: Unplaced | undefined, isPlaced: boolean): string {
  if (unplaced !== undefined) return unplacedNumbers(unplaced);
  return isPlaced
    ? 'it waits here for memory that other models free'
    : 'the memory of the members is for other models here; those that hold it answer';
}

/** The numbers of a deployment that no member can hold. */
export function unplacedNumbers({ bytes, largestBytes, reason }: Unplaced): string {
  const needs = `a copy takes ${formatBytes(bytes)} of memory`;
  const largest = `the largest member has ${formatBytes(largestBytes)} for models`;
  return reason === 'size'
    ? `${needs}, and ${largest}`
    : `${needs}; ${largest}, and the members of the fleet are full of other models`;
}
