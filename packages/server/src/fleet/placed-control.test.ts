import { SkeinError } from '@skein/api';
import type { DeploymentControl } from '@skein/serving';
import type { VersionRecord } from '@skein/state';
import { describe, expect, test } from 'vitest';
import type { FleetPlacing } from './placing.ts';
import { placedControl, type PlacedControlOptions } from './placed-control.ts';

const RECORD = { model: 'risk', version: '1', digest: 'd' } as VersionRecord;
const DEPLOY = { name: 'risk', version: '1' };
const VIEW = { name: 'risk', status: 'ready' };

/** A member whose deploys go to the first of some members, of which `isStored` says what they have done. */
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

/** A node that holds nothing of "risk", which the members named are said to hold. */
function control(holders: readonly string[], ask: PlacedControlOptions['ask']): DeploymentControl {
  return placedControl({
    local: { views: () => [{ name: 'risk', status: 'elsewhere' }] } as unknown as DeploymentControl,
    registry: { version: () => Promise.reject(new Error('No version is looked for.')) },
    placing: {} as PlacedControlOptions['placing'],
    self: () => 'self',
    holders: () => holders,
    ask,
  });
}

describe('a deploy', () => {
  const lost = () => Promise.reject(new SkeinError('PEER_LOST', 'It was lost during a change.'));
  const overtaken = () => Promise.reject(new SkeinError('ROLLOUT_IN_PROGRESS', 'It changes.'));

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

  test('that is refused is refused', async () => {
    await expect(deploying(['first'], overtaken).deploy(DEPLOY, 'ann')).rejects.toMatchObject({
      code: 'ROLLOUT_IN_PROGRESS',
    });
  });
});

describe('a change of what other members hold', () => {
  const asked: string[] = [];
  const recorded =
    (answer: PlacedControlOptions['ask']): PlacedControlOptions['ask'] =>
    (member, change) => {
      asked.push(member);
      return answer(member, change);
    };

  test('goes to the next one when the first cannot be reached', async () => {
    asked.length = 0;
    const refused = new SkeinError('ROLLOUT_IN_PROGRESS', 'It is being changed.');
    const ask = recorded((member) =>
      member === 'gone' ? Promise.resolve(undefined) : Promise.reject(refused),
    );
    const changing = control(['gone', 'there', 'spare'], ask).rollback('risk', 'worse', 'ann');
    await expect(changing).rejects.toBe(refused);
    expect(asked).toEqual(['gone', 'there']);
  });

  test('that may have been made is asked of no other member', async () => {
    asked.length = 0;
    const lost = new SkeinError('PEER_LOST', 'It was lost during a change.');
    const ask = recorded(() => Promise.reject(lost));
    const changing = control(['lost', 'spare'], ask).rollback('risk', 'worse', 'ann');
    await expect(changing).rejects.toBe(lost);
    expect(asked).toEqual(['lost']);
  });

  test('that reaches no member says that nothing was changed', async () => {
    asked.length = 0;
    const ask = recorded(() => Promise.resolve(undefined));
    const changing = control(['gone', 'too'], ask).changeSettings('risk', {}, 'ann');
    await expect(changing).rejects.toMatchObject({
      code: 'PEER_LOST',
      message: expect.stringContaining('nothing was changed') as string,
    });
    expect(asked).toEqual(['gone', 'too']);
  });
});
