/**
 * Decides which members hold which versions. All of them hold all versions when there is memory for them;
 * otherwise the copies of each version are spread by rendezvous hashing with bounded loads, under
 * memory that was measured.
 *
 * Copies are given in rounds: no version gets its second copy before each has its first. In a round
 * a version goes to the member that it prefers among those with enough memory, and past a member that is
 * filled further than the mean (Mirrokni, Thorup & Zadimoghaddam 2018). The same members and
 * versions give the same placement on every node, whatever their order.
 *
 * No member is filled beyond its budget: a version for which no memory is left is listed with the
 * numbers, and gets none.
 */
import { PLACEMENT_SLACK } from '../tuning.ts';
import { score } from './rendezvous.ts';

export interface PlacementMember {
  readonly id: string;
  /** Memory for models, in bytes. */
  readonly memoryBytes: number;
}

export interface PlacementVersion {
  readonly id: string;
  /** Measured memory of one copy, in bytes. */
  readonly bytes: number;
}

export interface Unplaced {
  readonly version: string;
  readonly bytes: number;
  /** Memory for models of the largest member, in bytes. */
  readonly largestBytes: number;
  /** `size`: larger than any member; `full`: the others fill the fleet. */
  readonly reason: 'size' | 'full';
}

export interface Placement {
  /** Members by version, the preferred one first. */
  readonly members: ReadonlyMap<string, readonly string[]>;
  readonly unplaced: readonly Unplaced[];
}

export function place(
  members: readonly PlacementMember[],
  versions: readonly PlacementVersion[],
): Placement {
  const filled = new Map(members.map(({ id }) => [id, 0]));
  const placed = new Map<string, string[]>(versions.map(({ id }) => [id, []]));
  const largestBytes = Math.max(0, ...members.map(({ memoryBytes }) => memoryBytes));
  const memory = members.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  // Large versions first, because they fit into few gaps.
  const order = [...versions].sort((a, b) => b.bytes - a.bytes || (a.id < b.id ? -1 : 1));
  const preferred = new Map(order.map((version) => [version.id, preferenceOf(version, members)]));

  const all = order.reduce((sum, { bytes }) => sum + bytes, 0);
  for (let round = 1; round <= members.length; round++) {
    // The fill of the fleet after this round, if everything fits.
    const fill = ((1 + PLACEMENT_SLACK) * round * all) / memory;
    let added = false;
    for (const { id, bytes } of order) {
      const copies = placed.get(id)!;
      // It did not fit in the round before, and there is less memory now.
      if (copies.length !== round - 1) continue;
      const fitsIn = ({ id: member, memoryBytes }: PlacementMember): boolean =>
        !copies.includes(member) && filled.get(member)! + bytes <= memoryBytes;
      const within = (member: PlacementMember): boolean =>
        fitsIn(member) && filled.get(member.id)! + bytes <= fill * member.memoryBytes;
      const choice = preferred.get(id)!;
      const taker = choice.find(within) ?? choice.find(fitsIn);
      if (taker === undefined) continue;
      copies.push(taker.id);
      filled.set(taker.id, filled.get(taker.id)! + bytes);
      added = true;
    }
    if (!added) break;
  }

  const unplaced = order
    .filter(({ id }) => placed.get(id)!.length === 0)
    .map(({ id, bytes }): Unplaced => {
      const reason = bytes > largestBytes ? 'size' : 'full';
      return { version: id, bytes, largestBytes, reason };
    });
  return { members: placed, unplaced };
}

function preferenceOf(
  { id }: PlacementVersion,
  members: readonly PlacementMember[],
): PlacementMember[] {
  return members
    .map((member) => ({ member, score: score(id, member.id, member.memoryBytes) }))
    .sort((a, b) => b.score - a.score || (a.member.id < b.member.id ? -1 : 1))
    .map(({ member }) => member);
}
