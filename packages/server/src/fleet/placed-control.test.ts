import { SkeinError } from '@skein/api';
import type { DeploymentControl } from '@skein/serving';
import { describe, expect, test } from 'vitest';
import { placedControl, type PlacedControlOptions } from './placed-control.ts';

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
