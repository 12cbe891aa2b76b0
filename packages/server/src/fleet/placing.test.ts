/** Decisions of a member about memory, from the records of the members and the stored deployments. */
import { DeploymentSettings, type DeploymentSettingsPatch } from '@skein/api';
import type { DesiredDeployment, ResidentDeployment } from '@skein/serving';
import type { DeploymentRecord, Member, VersionRecord } from '@skein/state';
import { describe, expect, test } from 'vitest';
import { createPlacing, modelMemoryOf, type PlacingOptions } from './placing.ts';
import { memberInfo } from './testing/member-info.ts';

const MIB = 2 ** 20;

/** @param mib its size, which is its memory too until that is measured. */
const version = (model: string, mib: number, name = '1'): VersionRecord =>
  ({
    model,
    version: name,
    kind: 'onnx',
    digest: `${model}@${name}`,
    sizeBytes: mib * MIB,
  }) as VersionRecord;

/** A deployment of the fleet, all of whose versions take traffic. */
function desired(
  versions: readonly VersionRecord[],
  row: Partial<DeploymentRecord> = {},
): DesiredDeployment {
  return {
    versions,
    row: {
      name: versions[0]!.model,
      settings: DeploymentSettings.parse({}),
      targets: versions.map(({ version }) => ({ version, weight: 1 })),
      revision: 1,
      updatedAt: '',
      ...row,
    },
  };
}

const minReplicas = (min: number) => DeploymentSettings.parse({ replicas: { min, max: min } });
const rolling = (phase: string): Partial<DeploymentRecord> =>
  ({ rollout: { to: '2', phase } }) as Partial<DeploymentRecord>;

function member(name: string, held: readonly string[], more: Partial<Member> = {}): Member {
  const loaded = held.map((model) => ({ model, version: '1', digest: `${model}@1` }));
  const info = memberInfo(name, loaded);
  return { ...info, incarnation: name, joinedAt: '', renewedAt: '', ...memory(10), ...more };
}

function memory(mib: number, measured: Record<string, number> = {}): Pick<Member, 'load'> {
  const load = { budgetBytes: mib * MIB, heldBytes: 0, leastRecentAgeMs: 0, measured };
  return { load: { memory: load } };
}

const resident = (id: string, mib: number, usedAt = 0): ResidentDeployment => ({
  id,
  bytes: mib * MIB,
  loadedAt: 0,
  usedAt,
});

/** The membership of the member `b`. @param onRead before it reads them. */
const membershipOf = (
  members: readonly Member[],
  onRead?: () => void,
): PlacingOptions['membership'] => ({
  incarnation: 'b',
  members,
  async read() {
    onRead?.();
    return members;
  },
  publish: async () => {},
});

const NOTHING: Omit<PlacingOptions, 'membership'> = {
  budgetBytes: 10 * MIB,
  memory: () => ({ residents: [], measured: [] }),
  desired: () => [],
};

/** The member `b`, with memory for 10 MiB of models. */
function placingOf(
  all: readonly DesiredDeployment[],
  others: readonly Member[] = [],
  residents: readonly ResidentDeployment[] = [],
  measured: Record<string, number> = {},
) {
  return createPlacing({
    ...NOTHING,
    membership: membershipOf([member('b', []), ...others]),
    memory: () => ({
      residents,
      measured: Object.entries(measured).map(([digest, bytes]) => ({ digest, bytes })),
    }),
    desired: () => all,
  });
}

describe('a version is loaded first', () => {
  const taker = (
    others: readonly Member[],
    isHere: boolean,
    lost?: ReadonlySet<string>,
  ): Promise<string> => placingOf([], others).takerOf(version('risk', 1), undefined, isHere, lost);

  test('where it is asked for, if no member serves the deployment or this one does', async () => {
    expect(await taker([member('a', [])], false)).toBe('b');
    expect(await taker([member('a', ['risk'])], true)).toBe('b');
  });

  test('by a member that serves the deployment, unless that was lost', async () => {
    const others = [member('a', ['risk']), member('c', ['other'])];
    expect(await taker(others, false)).toBe('a');
    expect(await taker(others, false, new Set(['a']))).toBe('b');
  });

  test('by one that it is placed on, where not all have memory for everything', async () => {
    const all = ['one', 'two', 'three'].map((name) => desired([version(name, 5)]));
    const others = [member('a', []), member('c', [])];
    const placing = placingOf([...all, desired([version('risk', 5)])], others);
    const on = [...placing.placed('risk')!];
    expect(on.length).toBeLessThan(3);
    const chosen = await placing.takerOf(version('risk', 5), undefined, false);
    expect(chosen).toBe(on.includes('b') ? 'b' : on[0]);
    // Served where it is not placed, it is changed there.
    const off = ['a', 'c'].find((id) => !on.includes(id))!;
    const serving = others.map(({ name }) => member(name, name === off ? ['risk'] : []));
    const elsewhere = placingOf([...all, desired([version('risk', 5)])], serving);
    expect(await elsewhere.takerOf(version('risk', 5), undefined, false)).toBe(off);
  });
});

describe('a version fits', () => {
  /** "risk" of so many MiB, on one member with 10 MiB. */
  const fits = (
    mib: number,
    all: readonly DesiredDeployment[],
    settings?: DeploymentSettingsPatch,
    record = version('risk', mib, '2'),
  ): Promise<string> =>
    placingOf(all)
      .takerOf(record, settings, true)
      .then(
        () => 'fits',
        ({ code }: { code: string }) => code,
      );

  test.each([
    ['alone', 10, [], 'fits'],
    ['alone', 11, [], 'FLEET_MEMORY'],
    ['next to a larger deployment', 4, [desired([version('other', 6)])], 'fits'],
    ['next to a larger deployment', 4, [desired([version('other', 7)])], 'FLEET_MEMORY'],
    ['next to an unloaded one', 4, [desired([version('other', 7)], { unloaded: true })], 'fits'],
    ['next to the one that serves', 5, [desired([version('risk', 5)])], 'fits'],
    ['next to the one that serves', 5, [desired([version('risk', 6)])], 'FLEET_MEMORY'],
    ['in place of an unloaded one', 5, [desired([version('risk', 6)], { unloaded: true })], 'fits'],
    [
      'next to replicas of another one',
      3,
      [desired([version('other', 4)], { settings: minReplicas(2) })],
      'FLEET_MEMORY',
    ],
    [
      'next to a rollout, which needs two copies',
      3,
      [desired([version('other', 4)], rolling('canary'))],
      'FLEET_MEMORY',
    ],
    [
      'next to a rollout that is over',
      6,
      [desired([version('other', 4)], rolling('finished'))],
      'fits',
    ],
    [
      'next to a version that takes no traffic any more',
      6,
      [
        desired([version('other', 4), version('other', 4, '2')], {
          targets: [{ version: '1', weight: 1 }],
        }),
      ],
      'fits',
    ],
  ])('%s: %s MiB', async (_what, mib, all, outcome) => {
    expect(await fits(mib, all)).toBe(outcome);
  });

  test('with its replicas, of its new settings or else of the old ones', async () => {
    const two = { replicas: { min: 2, max: 2 } };
    expect(await fits(5, [], two)).toBe('fits');
    expect(await fits(6, [], two)).toBe('FLEET_MEMORY');
    const old = [desired([version('risk', 2)], { settings: minReplicas(2) })];
    expect(await fits(3, old)).toBe('fits');
    expect(await fits(4, old)).toBe('FLEET_MEMORY');
    expect(await fits(6, old, { replicas: { min: 1, max: 1 } })).toBe('fits');
  });

  test('with a process of its own, of its new settings or else of the old ones', async () => {
    expect(await fits(1, [], { isolation: 'process' })).toBe('FLEET_MEMORY');
    const settings = DeploymentSettings.parse({ isolation: 'process' });
    const old = [desired([version('risk', 1)], { settings, unloaded: true })];
    expect(await fits(1, old)).toBe('FLEET_MEMORY');
    expect(await fits(1, old, { isolation: 'thread' })).toBe('fits');
    // The other one leaves 5 MiB of the larger member.
    const other = [desired([version('other', 1)], { settings })];
    const placing = placingOf(other, [member('a', [], memory(70))]);
    await expect(placing.takerOf(version('risk', 11), undefined, false)).rejects.toThrow(
      'fits on no member',
    );
    expect(await placing.takerOf(version('risk', 4), undefined, false)).toBe('b');
  });

  test('on a member that has just joined', async () => {
    const members = [member('b', [])];
    const joining = membershipOf(members, () => members.push(member('a', [], memory(20))));
    const placing = createPlacing({ ...NOTHING, membership: joining });
    expect(await placing.takerOf(version('risk', 11), undefined, false)).toBe('a');
  });

  test('once, where the same file serves already', async () => {
    const same = version('risk', 8);
    expect(await fits(8, [desired([same])], undefined, same)).toBe('fits');
  });

  test('as it was measured, here or on another member', async () => {
    const outcome = (others: readonly Member[], own: Record<string, number>): Promise<string> =>
      placingOf([desired([version('other', 1)])], others, [], own)
        .takerOf(version('risk', 4), undefined, true)
        .then(
          () => 'fits',
          ({ message }: { message: string }) => message,
        );
    const measured = { 'other@1': 7 * MIB };
    expect(await outcome([], {})).toBe('fits');
    expect(await outcome([], measured)).toContain(
      '"risk" fits on no member: a copy takes 4.00 MiB',
    );
    const other = (more: Partial<Member>): Member => member('a', [], more);
    expect(await outcome([other(memory(3, measured))], {})).toContain('fits on no member');
    // The memory of a member of another version is not understood, so that it has its share.
    const memoryBytes = 40 * MIB;
    expect(modelMemoryOf(memoryBytes)).toBe(30 * MIB);
    expect(await outcome([other({ load: { memory: 'much' }, memoryBytes })], measured)).toBe(
      'fits',
    );
  });
});

describe('the memory for a coming version', () => {
  const all = ['old', 'new', 'only'].map((name) => desired([version(name, 4)]));
  const here = [resident('old', 4, 1), resident('only', 4, 2), resident('new', 4, 3)];

  test('is taken from models that another member holds too', () => {
    const placing = placingOf(all, [member('c', ['old'])]);
    const evicted = placing.evictionFor('new', here, 1e9);
    expect([...evicted]).toEqual([
      [
        'old',
        { isHere: false, others: 1, reason: 'its memory is for "new" here; other members hold it' },
      ],
    ]);
    expect(placing.evictionFor('new', here.slice(1), 1e9).size).toBe(0);
  });

  test('is not there where no other member holds anything, and is not waited for', () => {
    const placing = placingOf(all);
    expect(() => placing.evictionFor('new', here, 1e9)).toThrow(
      expect.objectContaining({
        code: 'FLEET_MEMORY',
        retryAfterMs: undefined,
        message:
          '"new" takes 4.00 MiB of memory here: this member has 10.0 MiB for models, and 8.00 MiB are in use by models that no other member holds.',
      }),
    );
  });

  test('is waited for where another member is to load what is here', () => {
    const placing = placingOf(all, [member('c', [], memory(100))]);
    expect(() => placing.evictionFor('new', here, 1e9)).toThrow(
      expect.objectContaining({ code: 'FLEET_MEMORY', retryAfterMs: 1000 }),
    );
  });
});

test('a version is stored if it takes traffic or is rolled out', () => {
  const placing = placingOf([
    desired([version('risk', 1)], rolling('canary')),
    desired([version('over', 1)], rolling('rolled-back')),
  ]);
  expect(placing.isStored('risk', '1')).toBe(true);
  expect(placing.isStored('risk', '2')).toBe(true);
  expect(placing.isStored('risk', '3')).toBe(false);
  expect(placing.isStored('over', '2')).toBe(false);
  expect(placing.isStored('unknown', '1')).toBe(false);
});

test('a deployment is on all members, unless they have no memory for everything', () => {
  const others = [member('c', [])];
  const one = desired([version('one', 8)]);
  expect(placingOf([one], others).placed('one')).toBeUndefined();
  const both = placingOf([one, desired([version('two', 8)])], others);
  expect([...both.placed('one')!, ...both.placed('two')!].sort()).toEqual(['b', 'c']);
});

test('a version that takes no traffic any more need not be handed over', async () => {
  const both = [version('risk', 1), version('risk', 1, '2')];
  const row = { targets: [{ version: '1', weight: 1 }] };
  const other = member('c', ['risk'], { renewedAt: '2' });
  const own = { ...member('b', []), renewedAt: '1' };
  const placing = createPlacing({
    ...NOTHING,
    membership: membershipOf([own, other]),
    desired: () => [desired(both, row)],
  });
  const { signal } = new AbortController();
  expect(await placing.isHandedOver('risk', ['1', '2'], signal)).toBe(true);
});
