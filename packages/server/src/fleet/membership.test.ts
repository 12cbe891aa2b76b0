import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { SkeinError } from '@skein/api';
import { openSqliteState, type State } from '@skein/state';
import { createMembership, type OwnMembership } from './membership.ts';
import { memberInfo } from './testing/member-info.ts';

let state: State;
beforeEach(async () => {
  state = await openSqliteState(':memory:');
});
afterEach(() => state.close());

function member(
  name: string,
  over: Pick<State, 'members'> = state,
): OwnMembership & { warnings: string[] } {
  const warnings: string[] = [];
  const logger = { warn: (_: object, message: string) => void warnings.push(message) };
  const membership = createMembership({ state: over, info: () => memberInfo(name), logger });
  onTestFinished(() => membership.close());
  return Object.assign(Object.create(membership) as OwnMembership, { warnings });
}

it('is the only member before it has joined, and one of all after it', async () => {
  const [a, b] = [member('a'), member('b')];
  expect(a.members.map(({ name }) => name)).toEqual(['a']);
  await a.start();
  await b.start();
  expect(b.members.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(b.members[1]?.incarnation).toBe(b.incarnation);
  await a.publish();
  expect(a.members).toHaveLength(2);
  await b.close();
  expect((await a.read()).map(({ name }) => name)).toEqual(['a']);
});

it('joins again as another incarnation when its lease has ended', async () => {
  let lapsed = false;
  const members: State['members'] = {
    ...state.members,
    async join(of, leaseMs) {
      const joined = await state.members.join(of, leaseMs);
      return { ...joined, renew: async (now) => !lapsed && joined.renew(now) };
    },
  };
  const a = member('a', { members });
  await a.start();
  const before = a.incarnation;
  lapsed = true;
  await a.publish();
  lapsed = false;
  expect(a.incarnation).not.toBe(before);
  expect(a.warnings).toEqual(['The lease of this member has ended.']);
});

it('starts while the store is away, and joins when it is back', async () => {
  let away = true;
  const members: State['members'] = {
    ...state.members,
    join: (of, leaseMs) =>
      away
        ? Promise.reject(new SkeinError('STORE_UNREACHABLE', 'Away.'))
        : state.members.join(of, leaseMs),
  };
  const a = member('a', { members });
  await a.start();
  expect(a.incarnation).toBe('');
  expect(a.members).toHaveLength(1);
  away = false;
  await a.publish();
  expect(a.incarnation).not.toBe('');
  expect(a.warnings).toEqual(['This member could not join its fleet yet.']);
});

it('is refused by a fleet whose schema it does not read', async () => {
  const members: State['members'] = {
    ...state.members,
    join: () => Promise.reject(new SkeinError('STATE_TOO_NEW', 'Schema 9.')),
  };
  await expect(member('a', { members }).start()).rejects.toThrow('Schema 9');
});
