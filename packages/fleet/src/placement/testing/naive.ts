/**
 * The rules of placement as their headers define them, with every check repeated for each step: the decisions of
 * `placement.ts`, `residency.ts` and `holdings.ts` are compared with this.
 */
import { MIN_RESIDENCY_MS, PLACEMENT_SLACK } from '../../tuning.ts';
import type { Holding, MemberHoldings, PlacedDeployment } from '../holdings.ts';
import type { PlacementMember, PlacementVersion } from '../placement.ts';
import { score } from '../rendezvous.ts';
import type { Resident, WantedVersion } from '../residency.ts';

const sumOf = (of: readonly { readonly bytes: number }[]): number =>
  of.reduce((sum, { bytes }) => sum + bytes, 0);

/** The one before which no other comes. */
function first<T>(all: readonly T[], isBefore: (a: T, b: T) => boolean): T | undefined {
  return all.find((one) => all.every((other) => other === one || isBefore(one, other)));
}

/** Members by version, the preferred one first. */
export function placeNaively(
  members: readonly PlacementMember[],
  versions: readonly PlacementVersion[],
): Map<string, string[]> {
  const copies = new Map(versions.map(({ id }): [string, string[]] => [id, []]));
  const filled = (member: string): number =>
    sumOf(versions.filter(({ id }) => copies.get(id)!.includes(member)));
  const memory = members.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  for (let round = 1; round <= members.length; round++) {
    const planned = round * sumOf(versions);
    const left = versions.filter(({ id }) => copies.get(id)!.length === round - 1);
    while (left.length > 0) {
      const next = first(
        left,
        (a, b) => a.bytes > b.bytes || (a.bytes === b.bytes && a.id < b.id),
      )!;
      left.splice(left.indexOf(next), 1);
      const held = copies.get(next.id)!;
      const after = ({ id }: PlacementMember): number => filled(id) + next.bytes;
      const free = members.filter(
        (member) => !held.includes(member.id) && after(member) <= member.memoryBytes,
      );
      const share = ((1 + PLACEMENT_SLACK) * planned) / memory;
      const even = free.filter((member) => after(member) <= share * member.memoryBytes);
      const taker = first(even.length > 0 ? even : free, (a, b) => {
        const [ofA, ofB] = [a, b].map(({ id, memoryBytes }) => score(next.id, id, memoryBytes));
        return ofA! > ofB! || (ofA === ofB && a.id < b.id);
      });
      if (taker !== undefined) held.push(taker.id);
    }
  }
  return copies;
}

export function planNaively(
  wanted: readonly WantedVersion[],
  residents: readonly Resident[],
  budgetBytes: number,
  now: number,
): { readonly load: string[]; readonly unload: string[] } {
  const load: WantedVersion[] = [];
  let staying = residents;
  const free = (): number => budgetBytes - sumOf(staying) - sumOf(load);
  const without = (gone: readonly Resident[]): readonly Resident[] =>
    staying.filter((each) => !gone.includes(each));
  const oldestFirst = (): Resident[] =>
    staying
      .filter(({ id }) => wanted.every((each) => each.id !== id))
      .toSorted((a, b) => a.usedAt - b.usedAt);
  while (free() < 0 && oldestFirst().length > 0) staying = without([oldestFirst()[0]!]);
  for (const version of wanted) {
    if (residents.some(({ id }) => id === version.id)) continue;
    const may = oldestFirst().filter(
      ({ loadedAt }) => version.urgent === true || now - loadedAt >= MIN_RESIDENCY_MS,
    );
    let gone: Resident[] | undefined;
    for (let count = 0; count <= may.length && gone === undefined; count++) {
      const some = may.slice(0, count);
      if (free() + sumOf(some) >= version.bytes) gone = some;
    }
    if (gone === undefined) continue;
    for (const spared of gone.toReversed()) {
      const fewer: Resident[] = gone.filter((each) => each !== spared);
      if (free() + sumOf(fewer) >= version.bytes) gone = fewer;
    }
    staying = without(gone);
    load.push(version);
  }
  const unload = residents.filter((each) => !staying.includes(each));
  return { load: load.map(({ id }) => id), unload: unload.map(({ id }) => id) };
}

export function decideNaively(
  self: string,
  members: readonly MemberHoldings[],
  deployments: readonly PlacedDeployment[],
  residents: readonly Resident[],
  now: number,
): Map<string, Omit<Holding, 'reason'>> {
  const measured = (digest: string): number[] =>
    members.flatMap((member) => member.measured[digest] ?? []);
  const needs = deployments.map(({ id, versions, replicas }) => {
    let bytes = 0;
    for (const { digest, expectedBytes } of versions) {
      const all = measured(digest);
      bytes += (replicas || 1) * (all.length > 0 ? Math.max(...all) : expectedBytes);
    }
    return { id, bytes };
  });
  const allFit = members.every(({ budgetBytes }) => sumOf(needs) <= budgetBytes);
  const placed = allFit
    ? new Map(needs.map(({ id }) => [id, members.map((member) => member.id)]))
    : placeNaively(
        members.map(({ id, budgetBytes }) => ({ id, memoryBytes: budgetBytes })),
        needs,
      );
  const isLoaded = (id: string): boolean => residents.some((each) => each.id === id);
  const others = (id: string): string[] =>
    members.filter((each) => each.id !== self && each.held.has(id)).map((each) => each.id);
  const isPlaced = (member: string, id: string): boolean => placed.get(id)!.includes(member);
  const isPublished = (member: string, id: string): boolean =>
    members.find((each) => each.id === member)!.held.has(id);
  const hasPlace = (id: string): boolean => placed.get(id)!.length > 0;

  const isWanted = (id: string): boolean => {
    if (isPlaced(self, id)) return true;
    if (!hasPlace(id) && others(id).length === 0) return true;
    // It answers until a member that it is placed on does.
    const isFirst = others(id).every((member) => self < member);
    return isLoaded(id) && isFirst && !placed.get(id)!.some((member) => isPublished(member, id));
  };
  const isUrgent = (id: string): boolean => isPlaced(self, id) && others(id).length === 0;
  const all = needs.filter(({ id }) => isWanted(id));
  const wanted = [
    ...all.filter(({ id }) => isUrgent(id)).map((need) => ({ ...need, urgent: true })),
    ...all.filter(({ id }) => !isUrgent(id) && hasPlace(id)),
    ...all.filter(({ id }) => !hasPlace(id)),
  ];
  const growing = residents.map((each) => {
    const need = needs.find(({ id }) => id === each.id);
    return need !== undefined && need.bytes > each.bytes ? { ...each, bytes: need.bytes } : each;
  });
  const { budgetBytes } = members.find(({ id }) => id === self)!;
  const { load, unload } = planNaively(wanted, growing, budgetBytes, now);
  const here = new Set(growing.map(({ id }) => id).filter((id) => !unload.includes(id)));
  let free = budgetBytes - sumOf(growing);
  for (const { id, bytes } of wanted) {
    if (!load.includes(id) || bytes > free) continue;
    here.add(id);
    free -= bytes;
  }
  return new Map(
    needs.map(({ id }) => {
      const holders = [...others(id), ...(isLoaded(id) ? [self] : [])];
      const keeper = first(holders, (a, b) =>
        isPlaced(a, id) === isPlaced(b, id) ? a < b : isPlaced(a, id),
      );
      const isCovered = members.some(
        (each) => each.id !== self && (each.held.has(id) || isPlaced(each.id, id)),
      );
      const isKeeper = keeper === self;
      return [id, { isHere: here.has(id), others: others(id).length, isKeeper, isCovered }];
    }),
  );
}

/** The copies that `evictionFor` unloads; undefined: nothing is enough. */
export function evictNaively(
  coming: string,
  residents: readonly Resident[],
  budgetBytes: number,
  holdings: ReadonlyMap<string, Omit<Holding, 'reason'>>,
): { readonly unload: string[] | undefined; readonly isComing: boolean } {
  const over = sumOf(residents) - budgetBytes;
  const covered = residents.filter(
    ({ id }) => id !== coming && holdings.get(id)?.isCovered === true,
  );
  const groups = [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ].flatMap(([isKeeper, isHere]) =>
    covered
      .filter(({ id }) => {
        const holding = holdings.get(id)!;
        return holding.others > 0 && holding.isKeeper === isKeeper && holding.isHere === isHere;
      })
      .toSorted((a, b) => a.usedAt - b.usedAt),
  );
  let unload: string[] | undefined;
  for (let count = 0; count <= groups.length && unload === undefined; count++) {
    const gone = groups.slice(0, count);
    if (sumOf(gone) >= over) unload = gone.map(({ id }) => id);
  }
  return { unload, isComing: sumOf(covered) >= over };
}
