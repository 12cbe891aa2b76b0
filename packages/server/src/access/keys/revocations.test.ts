import { SkeinError } from '@skein/api';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openSqliteState, type State } from '@skein/state';
import { createAccess } from '../access.ts';

let state: State;
/** Error of the next writes of a revocation; undefined: they succeed. */
let failing: Error | undefined;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  state = await openSqliteState(':memory:');
  failing = undefined;
});
afterEach(async () => {
  vi.useRealTimers();
  await state.close();
});

const open = () =>
  createAccess({
    state: {
      ...state,
      revokeKey(id, at) {
        return failing ? Promise.reject(failing) : state.revokeKey(id, at);
      },
    },
    mode: 'keys',
    clock: { now: () => 0 },
  });
const newKey = { label: 'a', tenant: 'ward', scopes: ['infer'] as const };
const isRefused = (access: Awaited<ReturnType<typeof open>>, secret: string): boolean => {
  try {
    access.authorize(`Bearer ${secret}`, 'infer');
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: 'KEY_INVALID' });
    return true;
  }
};

it.each([new SkeinError('STORAGE_FULL', 'The disk is full.'), new Error('the thread has ended')])(
  'a key is refused from now on, whatever the store answers: %s',
  async (fault) => {
    const access = await open();
    const { key, secret } = await access.keys.create(newKey);
    failing = fault;
    await expect(access.keys.revoke(key.id)).rejects.toMatchObject({
      code: 'REVOCATION_NOT_DURABLE',
    });
    expect(isRefused(access, secret)).toBe(true);
    const [listed] = await access.keys.list();
    expect(listed?.revokedAt).toBeDefined();
    expect(await access.keys.show(key.id)).toMatchObject({ durable: false });
    // The error names it: a restart would make the key valid again.
    expect(isRefused(await open(), secret)).toBe(false);
  },
);

it('is written at once when the store takes changes again, whenever the next retry is due', async () => {
  const access = await open();
  const { key } = await access.keys.create(newKey);
  failing = new SkeinError('STORE_UNREACHABLE', 'The store is away.');
  await access.keys.revoke(key.id).catch(() => undefined);
  await vi.advanceTimersByTimeAsync(100_000);
  failing = undefined;
  access.keys.writeRevocations();
  await vi.waitFor(async () =>
    expect(await access.keys.show(key.id)).toMatchObject({ durable: true }),
  );
  // No timer did it.
  expect(vi.getTimerCount()).toBe(1);
});

it('is refused before the store has answered', async () => {
  const access = await open();
  const { key, secret } = await access.keys.create(newKey);
  const revoking = access.keys.revoke(key.id);
  expect(isRefused(access, secret)).toBe(true);
  await revoking;
});

it('is written as soon as the store accepts it, with the time of the call', async () => {
  const access = await open();
  const { key, secret } = await access.keys.create(newKey);
  failing = new SkeinError('STORAGE_FULL', 'The disk is full.');
  await access.keys.revoke(key.id).catch(() => undefined);
  const { revokedAt } = await access.keys.show(key.id);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(await access.keys.show(key.id)).toMatchObject({ durable: false });
  failing = undefined;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(await access.keys.show(key.id)).toMatchObject({ durable: true, revokedAt });
  const again = await open();
  expect(isRefused(again, secret)).toBe(true);
  expect(await again.keys.show(key.id)).toMatchObject({ revokedAt });
});

it('is retried a last time when the node ends, and at once when it is repeated', async () => {
  const access = await open();
  const [one, other] = [await access.keys.create(newKey), await access.keys.create(newKey)];
  failing = new SkeinError('STORAGE_FULL', 'The disk is full.');
  for (const { key } of [one, other]) await access.keys.revoke(key.id).catch(() => undefined);
  failing = undefined;
  await access.keys.revoke(one.key.id);
  expect(await access.keys.show(one.key.id)).toMatchObject({ durable: true });
  await access.keys.close();
  for (const { secret } of [one, other]) expect(isRefused(await open(), secret)).toBe(true);
});
