import { type KeyRecord, openSqliteState, type State } from '@skein/state';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openKeyRing } from './key-ring.ts';

let state: State;
beforeEach(async () => {
  state = await openSqliteState(':memory:');
});
afterEach(() => state.close());

const DAY_MS = 86_400_000;
const ago = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();
const stored = (id: string, more: Partial<KeyRecord> = {}): Promise<void> =>
  state.addKey({
    id,
    secretHash: 'ab',
    label: id,
    tenant: 'ward',
    scopes: ['infer'],
    createdAt: ago(90),
    ...more,
  });
const newKey = { label: 'new', tenant: 'ward', scopes: ['infer'] as const };
const open = () => openKeyRing(state, undefined, 5);

it('gives the place of keys that ended long ago to a new one', async () => {
  await stored('revoked');
  await stored('expired', { expiresAt: ago(31) });
  await stored('revoked just now');
  await stored('expired lately', { expiresAt: ago(29) });
  await stored('valid', { expiresAt: ago(-1) });
  await state.revokeKey('revoked', ago(40));
  await state.revokeKey('revoked just now', ago(0));
  const ring = await open();
  const { key } = await ring.create(newKey);
  const left = ['revoked just now', 'expired lately', 'valid', key.id];
  expect((await ring.list()).map(({ id }) => id)).toEqual(left);
  expect((await state.keys()).map(({ id }) => id)).toEqual(left);
  expect(ring.find('expired')).toBeUndefined();
  await ring.create(newKey);
  await expect(ring.create(newKey)).rejects.toMatchObject({ code: 'KEYS_TOO_MANY' });
});

it('removes no expired key below the bound', async () => {
  await stored('expired', { expiresAt: ago(400) });
  const ring = await open();
  await ring.create(newKey);
  expect(await ring.list()).toHaveLength(2);
});

it('drops no key whose revocation is not written yet', async () => {
  for (const id of ['a', 'b', 'c', 'd', 'e']) await stored(id);
  const ring = await openKeyRing(
    { ...state, revokeKey: () => Promise.reject(new Error('the disk is full')) },
    undefined,
    5,
  );
  await expect(ring.revoke('a')).rejects.toMatchObject({ code: 'REVOCATION_NOT_DURABLE' });
  await expect(ring.create(newKey)).rejects.toMatchObject({ code: 'KEYS_TOO_MANY' });
});
