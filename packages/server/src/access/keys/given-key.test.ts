import { openSqliteState, type State } from '@skein/state';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createAccess } from '../access.ts';
import { admitGivenKey } from './given-key.ts';

const TOKEN = `skein_0123456789ab_${'A'.repeat(43)}`;
const ADMIN = { token: TOKEN, scope: 'admin' } as const;
const OTHER = `skein_0123456789ab_${'B'.repeat(43)}`;

let state: State;
beforeEach(async () => {
  state = await openSqliteState(':memory:');
});
afterEach(() => state.close());

const open = () => createAccess({ state, mode: 'keys', clock: { now: () => 0 } });

it('admits its holder as an administrator, and is in the audit trail', async () => {
  await admitGivenKey(state, ADMIN);
  const access = await open();
  expect(access.authorize(`Bearer ${TOKEN}`, 'admin').actor).toBe('0123456789ab');
  expect(() => access.authorize(`Bearer ${OTHER}`, 'infer')).toThrow(/not one of this node/);
  expect(await state.audit(10)).toMatchObject([
    { action: 'createKey', subject: '0123456789ab', remote: 'environment' },
  ]);
});

it('may be one that only reads', async () => {
  await admitGivenKey(state, { token: TOKEN, scope: 'read' });
  const access = await open();
  access.authorize(`Bearer ${TOKEN}`, 'read');
  expect(() => access.authorize(`Bearer ${TOKEN}`, 'infer')).toThrow(/lacks the scope/);
});

it('is one key, however many nodes are given it at once', async () => {
  await Promise.all(Array.from({ length: 8 }, () => admitGivenKey(state, ADMIN)));
  expect(await state.keys()).toHaveLength(1);
});

it('stays revoked when a node starts again', async () => {
  await admitGivenKey(state, ADMIN);
  await (await open()).keys.revoke('0123456789ab');
  await admitGivenKey(state, ADMIN);
  const access = await open();
  expect(() => access.authorize(`Bearer ${TOKEN}`, 'infer')).toThrow(/revoked/);
});

it('is refused when its id is another key’s, and when it is malformed, without its secret', async () => {
  await admitGivenKey(state, ADMIN);
  await expect(admitGivenKey(state, { ...ADMIN, token: OTHER })).rejects.toThrow(
    /belongs to another key/,
  );
  const refusal = admitGivenKey(state, { ...ADMIN, token: 'skein_short' }).catch(
    (error: Error) => error.message,
  );
  expect(await refusal).toMatch(/malformed/);
  expect(await refusal).not.toMatch(/short/);
});
