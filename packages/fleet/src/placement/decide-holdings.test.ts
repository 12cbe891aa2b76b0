/** The deployments that one member holds, the members for which it keeps a copy, and the reasons. */
import { describe, expect, test } from 'vitest';
import { MIN_RESIDENCY_MS } from '../tuning.ts';
import {
  decideHoldings,
  type MemberHoldings,
  memoryOf,
  type PlacedDeployment,
  placeDeployments,
} from './holdings.ts';

describe('decideHoldings', () => {
  const deployment = (id: string, expectedBytes: number): PlacedDeployment => ({
    id,
    versions: [{ digest: id, expectedBytes }],
    replicas: 1,
  });
  const member = (id: string, held: readonly string[], budgetBytes = 10): MemberHoldings => ({
    id,
    budgetBytes,
    measured: {},
    held: new Set(held),
  });
  /** @param loaded just now, unless it is what the member has published before. */
  function decide(
    self: string,
    members: readonly MemberHoldings[],
    deployments: readonly PlacedDeployment[],
    loaded: readonly string[] = [...members.find(({ id }) => id === self)!.held],
    now = 2 * MIN_RESIDENCY_MS,
  ) {
    const bytesOf = new Map(
      deployments.map(({ id, versions }) => [id, versions[0]!.expectedBytes]),
    );
    const residents = loaded.map((id) => ({ id, bytes: bytesOf.get(id)!, usedAt: 0, loadedAt: 0 }));
    return decideHoldings(self, members, deployments, residents, now);
  }
  /** Too many for the members together, so that each has a place on some of them. */
  const many = ['u', 'v', 'w', 'x', 'y', 'z'].map((id) => deployment(id, 5));
  const names = ['a', 'b', 'c'];
  const placesOf = (members: readonly MemberHoldings[]) =>
    placeDeployments(members, memoryOf(many, members))!.members;

  test('names one member, the same for all, that is the last to give a copy up: one that it is placed on', () => {
    const places = placesOf(names.map((name) => member(name, [])));
    for (const { id } of many) {
      const holders = names.map((name) => member(name, [id]));
      const keepers = names.filter((name) => decide(name, holders, many).get(id)!.isKeeper);
      expect(keepers).toHaveLength(1);
      expect(places.get(id)).toContain(keepers[0]);
      const strangers = holders.filter((each) => !places.get(id)!.includes(each.id));
      const all = names.map((name) =>
        member(name, strangers.some((each) => each.id === name) ? [id] : []),
      );
      const first = names.find((name) => decide(name, all, many).get(id)!.isKeeper);
      expect(first).toBe(strangers[0]?.id);
    }
  });

  test('counts what this member has loaded and not published', () => {
    const both = [member('a', []), member('b', ['one'])];
    const one = [deployment('one', 5)];
    expect(decide('a', both, one, []).get('one')).toMatchObject({ isKeeper: false, others: 1 });
    expect(decide('a', both, one, ['one']).get('one')).toMatchObject({ isKeeper: true, others: 1 });
    expect(decide('b', both, one).get('one')).toMatchObject({ isKeeper: true, others: 0 });
  });

  test('finds deployments that another member holds, or is to hold', () => {
    const two = [deployment('one', 10), deployment('two', 10)];
    const at = (held: readonly string[]) => [
      member('a', ['one', 'two'], 20),
      member('b', held, 10),
    ];
    const covered = (held: readonly string[]) =>
      [...decide('a', at(held), two)].flatMap(([id, { isCovered }]) => (isCovered ? [id] : []));
    const placed = placeDeployments(at([]), memoryOf(two, at([])))!.members;
    const onB = ['one', 'two'].filter((id) => placed.get(id)!.includes('b'));
    const other = onB[0] === 'one' ? 'two' : 'one';
    expect(onB).toHaveLength(1);
    expect(covered([])).toEqual(onB);
    expect(covered([other]).sort()).toEqual(['one', 'two']);
    expect(decide('a', [member('a', ['one'])], [two[0]!]).get('one')!.isCovered).toBe(false);
  });

  test('gives the memory of a young copy only to a deployment that no member serves and that is placed here', () => {
    const places = placesOf(names.map((name) => member(name, [])));
    const mine = many.filter(({ id }) => places.get(id)!.includes('a')).map(({ id }) => id);
    const loaded = many.filter(({ id }) => !mine.includes(id)).map(({ id }) => id);
    const [first, second] = loaded as [string, string];
    const at = (others: readonly string[], now: number) => {
      const held = [first, second];
      const members = [member('a', held), member('b', [...held, ...others]), member('c', held)];
      return decide('a', members, many, held, now);
    };
    const isKept = (others: readonly string[], now: number): boolean =>
      [first, second].every((id) => at(others, now).get(id)!.isHere);
    expect(isKept([], 1000)).toBe(false);
    expect(isKept(mine, 1000)).toBe(true);
    expect(at(mine, 1000).get(mine[0]!)!.reason).toBe(
      'it waits here for memory that other models free',
    );
    expect(isKept(mine, 2 * MIN_RESIDENCY_MS)).toBe(false);
    // A deployment without a place gets none of it either.
    const small = [...many, deployment('small', 4)];
    const all = [member('a', [first, second]), member('b', [...loaded, ...mine]), member('c', [])];
    const withSmall = decide('a', all, small, undefined, 1000);
    expect([first, second].every((id) => withSmall.get(id)!.isHere)).toBe(true);
  });

  test('takes what is placed here before what is not, and first what no member serves', () => {
    const places = placesOf(names.map((name) => member(name, [])));
    const mine = many.filter(({ id }) => places.get(id)!.includes('a')).map(({ id }) => id);
    const [served, unserved] = mine as [string, string];
    const order = (first: string) =>
      many.toSorted((a, b) => Number(b.id === first) - Number(a.id === first));
    const hereOf = (members: readonly MemberHoldings[], first: string, now?: number): string[] =>
      [...decide('a', members, order(first), undefined, now)]
        .flatMap(([id, { isHere }]) => (isHere ? [id] : []))
        .sort();
    const foreign = many.find(({ id }) => !mine.includes(id))!.id;
    const empty = [member('a', []), member('b', mine), member('c', [])];
    expect(hereOf(empty, foreign)).toEqual(mine.slice(0, 2).sort());
    const young = [member('a', [foreign]), member('b', [served, foreign]), member('c', [foreign])];
    expect(hereOf(young, served, 1000)).toEqual([foreign, unserved].sort());
  });

  test('gives the reason why a member does not hold a deployment', () => {
    const reasonOf = (self: string, members: readonly MemberHoldings[], id: string, all = many) =>
      decide(self, members, all).get(id)!.reason;
    const empty = names.map((name) => member(name, []));
    const places = placesOf(empty);
    const here = many.find(({ id }) => places.get(id)!.includes('a'))!.id;
    const elsewhere = many.find(({ id }) => !places.get(id)!.includes('a'))!.id;
    expect(reasonOf('a', empty, here)).toBe('it is placed here');
    expect(reasonOf('a', empty, elsewhere)).toBe(
      'the memory of the members is for other models here; those that hold it answer',
    );
    const giant = [...many, deployment('giant', 11)];
    expect(reasonOf('a', empty, 'giant', giant)).toBe(
      'a copy takes 11 B of memory, and the largest member has 10 B for models',
    );
    const full = [...many, deployment('small', 4)];
    expect(reasonOf('a', empty, 'small', full)).toBe(
      'a copy takes 4 B of memory; the largest member has 10 B for models, and the members of the fleet are full of other models',
    );
  });
});
