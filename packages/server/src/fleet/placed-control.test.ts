import { SkeinError } from '@skein/api';
import type { DeploymentControl } from '@skein/serving';
import type { DeploymentRecord, RolloutRecord, VersionRecord } from '@skein/state';
import { describe, expect, test } from 'vitest';
import type { FleetPlacing } from './placing.ts';
import { carryOut, placedControl, type PlacedControlOptions } from './placed-control.ts';

const RECORD = { model: 'risk', version: '1', digest: 'd' } as VersionRecord;
const DEPLOY = { name: 'risk', version: '1' };
const VIEW = { name: 'risk', status: 'ready' };

/** A member whose deploys go to the first of some members; `isStored` decides what they have done. */
function deploying(
  members: readonly string[],
  ask: PlacedControlOptions['ask'],
  isStored: () => boolean = () => false,
): DeploymentControl {
  return placedControl({
    local: {
      views: () => [VIEW],
      view: () => VIEW,
      deploy: () => Promise.resolve({ ...VIEW, reason: 'deployed here' }),
    } as unknown as DeploymentControl,
    registry: { version: () => Promise.resolve(RECORD) },
    stored: () => Promise.resolve(undefined),
    placing: {
      isStored,
      takerOf: (_record, _settings, _isHere, lost) =>
        Promise.resolve(members.find((member) => lost?.has(member) !== true) ?? 'self'),
    } as Partial<FleetPlacing> as FleetPlacing,
    self: () => 'self',
    holders: () => [],
    ask,
  });
}

/** A member that holds nothing of "risk", which the given members hold, and the fleet's stored row of it. */
function holdingNothing(members: readonly string[], ask: PlacedControlOptions['ask']) {
  const row = { name: 'risk', revision: 5 } as DeploymentRecord;
  const fleet = {
    row,
    holders: members,
    asked: [] as unknown[],
    view: { ...VIEW, status: 'elsewhere', revision: 5 },
    /** Another change, which is stored before the first one of this member. */
    overtakes: undefined as (() => void) | undefined,
  };
  const here = (): Promise<unknown> => {
    if (fleet.overtakes === undefined)
      return Promise.resolve({ ...fleet.view, reason: 'changed here' });
    fleet.overtakes();
    fleet.overtakes = undefined;
    return overtaken();
  };
  const control = placedControl({
    local: {
      views: () => [fleet.view],
      view: () => fleet.view,
      rollback: here,
      changeSettings: here,
    } as unknown as DeploymentControl,
    registry: { version: () => Promise.reject(new Error('No version is read.')) },
    stored: () => Promise.resolve(fleet.row),
    placing: {} as PlacedControlOptions['placing'],
    self: () => 'self',
    holders: () => fleet.holders,
    ask: (member, change) => {
      fleet.asked.push([member, change.revision]);
      return ask(member, change);
    },
  });
  const store = (revision: number, rollout?: Partial<RolloutRecord>): void => {
    fleet.row = { ...fleet.row, revision, rollout: rollout as RolloutRecord };
    fleet.view = { ...fleet.view, revision };
  };
  return { control, fleet, store };
}

const lost = () => Promise.reject(new SkeinError('PEER_LOST', 'It was lost during a change.'));
const overtaken = () => Promise.reject(new SkeinError('ROLLOUT_IN_PROGRESS', 'It changes.'));
const unreachable = () => Promise.resolve(undefined);
const done = (view: object = VIEW) => Promise.resolve({ result: view });

describe('a deploy', () => {
  test('whose member is lost in the middle is placed again on another one, and here at last', async () => {
    const asked: string[] = [];
    const control = deploying(['first', 'second', 'gone'], (member) => {
      asked.push(member);
      return member === 'gone' ? Promise.resolve(undefined) : lost();
    });
    expect(await control.deploy(DEPLOY, 'ann')).toMatchObject({ reason: 'deployed here' });
    expect(asked).toEqual(['first', 'second', 'gone']);
  });

  test('that the lost member has stored is done', async () => {
    let isStored = false;
    const asked: string[] = [];
    const ask: PlacedControlOptions['ask'] = (member) => {
      asked.push(member);
      isStored = true;
      return lost();
    };
    const control = deploying(['first', 'second'], ask, () => isStored);
    expect(await control.deploy(DEPLOY, 'ann')).toBe(VIEW);
    expect(asked).toEqual(['first']);
  });

  test('that a member, which was only out of reach, stores while a second one is asked is done', async () => {
    let isStored = false;
    const ask: PlacedControlOptions['ask'] = (member) => {
      if (member === 'first') return lost();
      isStored = true;
      return overtaken();
    };
    const control = deploying(['first', 'second'], ask, () => isStored);
    expect(await control.deploy(DEPLOY, 'ann')).toBe(VIEW);
  });

  test('of a version that serves already is asked of the next one, for its settings', async () => {
    const asked: string[] = [];
    const control = deploying(
      ['first'],
      (member) => {
        asked.push(member);
        return lost();
      },
      () => true,
    );
    expect(await control.deploy(DEPLOY, 'ann')).toMatchObject({ reason: 'deployed here' });
    expect(asked).toEqual(['first']);
  });

  test('names the revision that is stored, so that it is not carried out late', async () => {
    const asked: unknown[] = [];
    const control = deploying(['first'], (_, { revision }) => {
      asked.push(revision);
      return done();
    });
    await control.deploy(DEPLOY, 'ann').catch(() => {});
    expect(asked).toEqual([0]);
  });

  test('that is refused is refused', async () => {
    await expect(deploying(['first'], overtaken).deploy(DEPLOY, 'ann')).rejects.toMatchObject({
      code: 'ROLLOUT_IN_PROGRESS',
    });
  });
});

describe('a change of what other members hold', () => {
  test('goes to the next one when the first cannot be reached', async () => {
    const refused = new SkeinError('NOTHING_TO_ROLL_BACK', 'It has no earlier version.');
    const { control, fleet } = holdingNothing(['gone', 'there', 'spare'], (member) =>
      member === 'gone' ? unreachable() : Promise.reject(refused),
    );
    await expect(control.rollback('risk', 'worse', 'ann')).rejects.toBe(refused);
    expect(fleet.asked).toEqual([
      ['gone', 5],
      ['there', 5],
    ]);
  });

  test('that reaches no member reports that nothing was changed', async () => {
    const { control, fleet } = holdingNothing(['gone', 'too'], unreachable);
    await expect(control.rollback('risk', 'worse', 'ann')).rejects.toMatchObject({
      code: 'PEER_LOST',
      message: expect.stringContaining('nothing was changed') as string,
    });
    expect(fleet.asked.length).toBe(2);
  });

  test('whose member is lost in the middle is carried on by the next one, at the revision that is stored then', async () => {
    for (const change of ['changeSettings', 'rollback'] as const) {
      const { control, fleet } = holdingNothing(['first', 'second'], (member) =>
        member === 'first' ? lost() : done({ ...VIEW, reason: 'by the second' }),
      );
      const changing =
        change === 'rollback'
          ? control.rollback('risk', 'worse', 'ann')
          : control.changeSettings('risk', { maxQueue: 7 }, 'ann');
      await changing.catch(() => {});
      expect(fleet.asked).toEqual([
        ['first', 5],
        ['second', 5],
      ]);
    }
  });

  test.each([
    { holders: ['gone', 'lost'], asked: ['gone', 'lost'] },
    { holders: [], asked: [] },
  ])('of settings that reaches no member is stored here: %o', async ({ holders, asked }) => {
    const { control, fleet } = holdingNothing(holders, (member) =>
      member === 'gone' ? unreachable() : lost(),
    );
    expect(await control.changeSettings('risk', { maxQueue: 7 }, 'ann')).toMatchObject({
      reason: 'changed here',
    });
    expect(fleet.asked).toEqual(asked.map((member) => [member, 5]));
  });

  test('of settings is stored again where the lost member, which was only out of reach, stores one first', async () => {
    const { control, fleet, store } = holdingNothing(['lost'], lost);
    fleet.overtakes = () => store(6);
    expect(await control.changeSettings('risk', { maxQueue: 7 }, 'ann')).toMatchObject({
      revision: 6,
      reason: 'changed here',
    });
  });

  test('whose last holder is lost is carried on by a member that loads it then', async () => {
    const { control, fleet } = holdingNothing(['first'], (member) => {
      if (member !== 'first') return done();
      setTimeout(() => (fleet.holders = ['first', 'new']), 10);
      return lost();
    });
    await control.rollback('risk', 'worse', 'ann').catch(() => {});
    expect(fleet.asked).toEqual([
      ['first', 5],
      ['new', 5],
    ]);
  });

  test('whose last holder is lost is carried on here, where it is loaded then', async () => {
    const { control, fleet } = holdingNothing(['first'], () => {
      fleet.view = { ...fleet.view, status: 'ready' };
      return lost();
    });
    expect(await control.rollback('risk', 'worse', 'ann')).toMatchObject({
      reason: 'changed here',
    });
  });

  test('of settings is asked for again even if it was made: the second time it changes nothing', async () => {
    const { control, fleet, store } = holdingNothing(['first', 'second'], (member) => {
      if (member !== 'first') return done();
      store(6);
      return lost();
    });
    await control.changeSettings('risk', { maxQueue: 7 }, 'ann').catch(() => {});
    expect(fleet.asked).toEqual([
      ['first', 5],
      ['second', 6],
    ]);
  });

  test('that the deployment has moved away from is asked for again at its new revision', async () => {
    const { control, fleet, store } = holdingNothing(['first'], (_, { revision }) => {
      if (revision === 6) return done();
      store(6);
      return overtaken();
    });
    await control.rollback('risk', 'worse', 'ann').catch(() => {});
    expect(fleet.asked).toEqual([
      ['first', 5],
      ['first', 6],
    ]);
  });

  test('that is overtaken again and again is refused at last', async () => {
    let revision = 5;
    const { control, fleet, store } = holdingNothing(['first'], () => {
      store(++revision);
      return overtaken();
    });
    await expect(control.rollback('risk', 'worse', 'ann')).rejects.toMatchObject({
      code: 'ROLLOUT_IN_PROGRESS',
    });
    expect(fleet.asked).toHaveLength(4);
  });

  test('of a deployment that another change holds is refused', async () => {
    const { control } = holdingNothing(['first'], overtaken);
    await expect(control.rollback('risk', 'worse', 'ann')).rejects.toMatchObject({
      code: 'ROLLOUT_IN_PROGRESS',
    });
  });
});

describe('a rollback whose member is lost', () => {
  test('is not made twice where it is stored', async () => {
    const { control, fleet, store } = holdingNothing(['first', 'second'], () => {
      store(6);
      return lost();
    });
    expect(await control.rollback('risk', 'worse', 'ann')).toMatchObject({ revision: 6 });
    expect(fleet.asked).toEqual([['first', 5]]);
  });

  test('is not made twice where the lost one, which was only out of reach, stores it while a second one is asked', async () => {
    const { control, store } = holdingNothing(['first', 'second'], (member) => {
      if (member === 'first') return lost();
      store(6);
      return overtaken();
    });
    expect(await control.rollback('risk', 'worse', 'ann')).toMatchObject({ revision: 6 });
  });

  test('continues while the rollout that it is to end only takes a step', async () => {
    const { control, fleet, store } = holdingNothing(['first', 'second'], (member) => {
      if (member === 'second') {
        store(7, { id: 'r', phase: 'rolled-back' });
        return lost();
      }
      store(6, { id: 'r', phase: 'shifting' });
      return lost();
    });
    store(5, { id: 'r', phase: 'shifting' });
    expect(await control.rollback('risk', 'worse', 'ann')).toMatchObject({ revision: 7 });
    expect(fleet.asked).toEqual([
      ['first', 5],
      ['second', 6],
    ]);
  });
});

test('what a member carries out late, at another revision than it was asked for, is refused', async () => {
  const local = {
    views: () => [{ ...VIEW, revision: 6 }],
    rollback: () => Promise.reject(new Error('It is rolled back a second time.')),
  } as unknown as DeploymentControl;
  const change = { change: 'rollback', parameters: ['risk', 'worse'], actor: 'ann' } as const;
  await expect(carryOut(local, { ...change, revision: 5 })).rejects.toMatchObject({
    code: 'ROLLOUT_IN_PROGRESS',
    message: expect.stringContaining('revision 5') as string,
  });
});

test('a member that has not received the revision yet carries the change out when it has', async () => {
  let views = 0;
  const local = {
    views: () => [{ ...VIEW, revision: ++views < 3 ? 5 : 6 }],
    rollback: () => Promise.resolve(VIEW),
  } as unknown as DeploymentControl;
  const change = { change: 'rollback', parameters: ['risk', 'worse'], actor: 'ann' } as const;
  expect(await carryOut(local, { ...change, revision: 6 })).toBe(VIEW);
});

test.each([
  { change: 'undeploy', parameters: ['risk'] },
  { change: 'toString', parameters: [] },
  { change: 'rollback', parameters: ['risk'] },
])('a member does not carry out %o', async ({ change, parameters }) => {
  const asked = { change, parameters, actor: 'ann', revision: 0 } as never;
  await expect(carryOut({ views: () => [] } as never, asked)).rejects.toMatchObject({
    code: 'USAGE',
  });
});
