import { describe, expect, it } from 'vitest';
import { deployment } from '../testing/every-state.ts';
import {
  contradiction,
  difference,
  type KnownState,
  withDeployment,
  withKeys,
  withoutDeployment,
} from './known-state.ts';

const EMPTY: KnownState = {
  epoch: 'one',
  asOf: 0,
  deployments: new Map(),
  removed: new Map(),
  keys: new Map(),
};
const put = (known: KnownState, name: string, revision: number, updatedAt = ''): KnownState =>
  withDeployment(known, {
    row: { ...deployment(name), revision, updatedAt },
    versions: [],
  });
const key = (id: string, revokedAt?: string) => ({
  id,
  secretHash: '',
  label: '',
  tenant: 't',
  scopes: [],
  createdAt: '',
  revokedAt,
});

describe("a store that contradicts a node's copy", () => {
  const known = withKeys(put(withoutDeployment(EMPTY, 'gone', 4), 'risk', 3), [
    key('a'),
    key('b', 'then'),
  ]);

  it.each<[string, KnownState, string | undefined]>([
    ['the same', known, undefined],
    ['a later revision', put(known, 'risk', 4), undefined],
    ['a removal', withoutDeployment(known, 'risk', 4), undefined],
    ['a successor of a removed one', put(known, 'gone', 5), undefined],
    ['a revocation', withKeys(known, [key('a', 'now'), key('b', 'then')]), undefined],
    ['another epoch', { ...known, epoch: 'two' }, 'its epoch is two, not one'],
    ['an earlier revision', put(known, 'risk', 2), '"risk" was at revision 3 and is now at 2'],
    ['a revision with other contents', put(known, 'risk', 3, 'later'), 'another revision 3'],
    ['no trace of a deployment', { ...known, deployments: new Map() }, 'is now at 0'],
    ['an earlier removal', withoutDeployment(known, 'gone', 3), '"gone" was at revision 4'],
    ['a resurrected key', withKeys(known, [key('a'), key('b')]), 'b was revoked and is valid'],
    ['a revoked key that was removed', withKeys(known, [key('a')]), undefined],
    ['a missing key', withKeys(known, [key('b', 'then')]), 'key a is missing'],
  ])('%s', (_, fresh, reason) => {
    const found = contradiction(known, fresh);
    if (reason === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(reason);
  });

  it('finds the differences', () => {
    const { keys } = known;
    expect(difference(known, { ...known, asOf: 9 })).toEqual({ deployments: false, keys: false });
    expect(difference(known, put(known, 'risk', 4)).deployments).toBe(true);
    expect(difference(known, withoutDeployment(known, 'risk', 4)).deployments).toBe(true);
    const ended = withKeys(
      known,
      [...keys.values()].map(({ id }) => key(id, 'then')),
    );
    expect(difference(known, ended)).toEqual({ deployments: false, keys: true });
  });
});
