import { describe, expect, it } from 'vitest';
import type { Member } from '@skein/state';
import { fleetView, loadOf, placementsOf, type FleetFacts } from './fleet-view.ts';

const AT = '2030-01-01T00:00:00.000Z';
const member = (incarnation: string, more: Partial<Member> = {}): Member => ({
  incarnation,
  name: `host-${incarnation}`,
  address: `http://10.0.0.${incarnation}:4700`,
  version: '1.0.0',
  schema: { reads: [1, 1] },
  memoryBytes: 1e9,
  cores: 2,
  accelerators: [],
  loaded: [],
  joinedAt: AT,
  renewedAt: AT,
  ...more,
});
const view = (members: readonly Member[], more: Partial<FleetFacts> = {}) =>
  fleetView({ members, self: '1', epoch: 'e', schema: 1, ...more });
const kinds = (...of: Parameters<typeof view>): string[] =>
  view(...of).alerts.map(({ kind }) => kind);

describe('the fleet as the API shows it', () => {
  it('marks the node that answers, and finds nothing wrong with a healthy fleet', () => {
    const { members, alerts, schema } = view([member('1'), member('2')]);
    expect(members.map(({ id, self, leaseAgeMs }) => [id, self, leaseAgeMs])).toEqual([
      ['1', true, 0],
      ['2', false, 0],
    ]);
    expect({ alerts, schema }).toEqual({ alerts: [], schema: { written: 1, common: 1 } });
  });

  it('shows that an upgrade is under way, and when it can be ended', () => {
    const old = member('1');
    const young = member('2', { version: '2.0.0', schema: { reads: [1, 2] } });
    expect(kinds([old, young])).toEqual(['versions']);
    expect(view([old, young]).schema.common).toBe(1);
    expect(kinds([{ ...young, incarnation: '1' }, young])).toEqual(['schema']);
    expect(kinds([{ ...young, incarnation: '1' }, young], { schema: 2 })).toEqual([]);
  });

  it('names a member that is late, and a store that is away instead of all its members', () => {
    // By the store's clock: this machine's may be another one.
    const inTime = member('2', { renewedAt: '2030-01-01T00:00:07.000Z' });
    expect(view([member('1'), inTime]).alerts).toMatchObject([
      { kind: 'late-member', text: expect.stringContaining('host-1') as string },
    ]);
    expect(kinds([member('1'), inTime], { schema: null })).toEqual(['store-away']);
  });

  it('shows that the store contradicts this node, and not that it is away', () => {
    const store = { state: 'frozen' as const, reason: 'Another epoch.', asOf: AT };
    expect(view([member('1')], { store }).alerts).toMatchObject([
      { kind: 'frozen', text: expect.stringContaining(': Another epoch. The node') as string },
    ]);
    expect(kinds([member('1')], { store, schema: null })).toEqual(['frozen']);
  });

  it('ignores a load that another version publishes in another form', () => {
    expect(loadOf(member('1', { load: { serving: { cores: 'many' } } }))).toBeUndefined();
    expect(loadOf(member('1'))).toBeUndefined();
  });

  it('lists each version with the members that hold it', () => {
    const risk = (version: string) => ({ model: 'risk', version, digest: 'd' });
    const placements = placementsOf([
      member('1', { loaded: [risk('10'), risk('9')] }),
      member('2', { loaded: [risk('9')] }),
    ]);
    expect(
      placements.map(({ version, members }) => [version, members.map(({ id }) => id)]),
    ).toEqual([
      ['9', ['1', '2']],
      ['10', ['1']],
    ]);
    expect(placements.map(({ reason }) => reason)).toEqual([
      'every member holds it',
      '1 of 2 members hold it; the others load it, could not, or have other models in their memory',
    ]);
  });
});
