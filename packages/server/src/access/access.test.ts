import { SkeinError, type ErrorCode } from '@skein/api';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteState, type State } from '@skein/state';
import { createAccess } from './access.ts';
import type { NewKey, Scope } from './contract.ts';

let state: State;
let now: number;
let wall: number;
beforeEach(async () => {
  state = await openSqliteState(':memory:');
  now = 0;
  wall = Date.parse('2026-06-01T00:00:00Z');
});
afterEach(() => state.close());

const open = (mode: 'open' | 'keys' = 'keys') =>
  createAccess({ state, mode, clock: { now: () => now }, wallNow: () => wall });
const newKey = (changes: Partial<NewKey> = {}): NewKey => ({
  label: 'test',
  tenant: 'ward',
  scopes: ['infer'],
  ...changes,
});

/** The error's code and Retry-After, or undefined if nothing was thrown. */
function refusal(action: () => unknown): { code: ErrorCode; retryAfterMs?: number } | undefined {
  try {
    action();
  } catch (error) {
    if (!(error instanceof SkeinError)) throw error;
    const { code, retryAfterMs } = error;
    return { code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
}

describe('the caller', () => {
  it('is `local` without a key on an open node', async () => {
    const access = await open('open');
    expect(access.authorize(undefined, 'admin')).toMatchObject({ actor: 'local' });
    const caller = access.authorize('Bearer whatever', 'infer');
    for (let count = 0; count < 1000; count += 1) access.enter(caller);
  });

  it('is the key’s tenant', async () => {
    const access = await open();
    const { key, secret } = await access.keys.create(newKey({ scopes: ['infer', 'read'] }));
    expect(access.authorize(`Bearer ${secret}`, 'infer')).toEqual({
      actor: key.id,
      tenant: 'ward',
      scopes: ['infer', 'read'],
    });
    expect(access.authorize(`bearer ${secret}`, 'read').actor).toBe(key.id);
  });

  it('is created once per key, not once per request', async () => {
    const access = await open();
    const { secret } = await access.keys.create(newKey());
    const header = `Bearer ${secret}`;
    expect(access.authorize(header, 'infer')).toBe(access.authorize(header, 'infer'));
  });

  it.each([undefined, '', 'Basic dXNlcjpwYXNz', 'Bearer', 'skein_x'])(
    'asks for a key when %j is sent',
    async (header) => {
      const access = await open();
      expect(refusal(() => access.authorize(header, 'infer'))?.code).toBe('KEY_MISSING');
    },
  );

  it('refuses every token but the one that was issued', async () => {
    const access = await open();
    const { key, secret } = await access.keys.create(newKey());
    const stranger = await (
      await createAccess({
        state: await openSqliteState(':memory:'),
        mode: 'keys',
        clock: { now: () => 0 },
      })
    ).keys.create(newKey());
    const forged = `skein_${key.id}_${stranger.secret.slice(-43)}`;
    for (const token of [stranger.secret, forged, `${secret}a`, secret.slice(0, -1), '', ' ']) {
      expect(refusal(() => access.authorize(`Bearer ${token}`, 'infer'))?.code).toBe('KEY_INVALID');
    }
    fc.assert(
      fc.property(
        fc.nat(secret.length - 1),
        fc.constantFrom('a', 'Z', '0', '9', '-', '_'),
        (position, letter) => {
          fc.pre(secret[position] !== letter);
          const changed = secret.slice(0, position) + letter + secret.slice(position + 1);
          expect(refusal(() => access.authorize(`Bearer ${changed}`, 'infer'))?.code).toBe(
            'KEY_INVALID',
          );
        },
      ),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (header) => {
        expect(refusal(() => access.authorize(header, 'infer'))?.code).toMatch(/^KEY_/);
      }),
    );
  });

  it.each<[readonly Scope[], Scope, boolean]>([
    [['infer'], 'infer', true],
    [['infer'], 'read', false],
    [['infer'], 'admin', false],
    [['read'], 'infer', false],
    [['read'], 'admin', false],
    [['infer', 'read'], 'admin', false],
    [['admin'], 'infer', true],
    [['admin'], 'read', true],
  ])('scopes %j and a call that needs %s: %s', async (scopes, wanted, allowed) => {
    const access = await open();
    const { secret } = await access.keys.create(newKey({ scopes }));
    const refused = refusal(() => access.authorize(`Bearer ${secret}`, wanted));
    expect(refused).toEqual(allowed ? undefined : { code: 'SCOPE_MISSING' });
  });

  it('is rejected from the next request after a revocation, also after a restart', async () => {
    const access = await open();
    const { key, secret } = await access.keys.create(newKey());
    access.authorize(`Bearer ${secret}`, 'infer');
    await access.keys.revoke(key.id);
    for (const node of [access, await open()]) {
      expect(refusal(() => node.authorize(`Bearer ${secret}`, 'infer'))?.code).toBe('KEY_INVALID');
    }
    await access.keys.revoke(key.id);
    await expect(access.keys.revoke('0123')).rejects.toMatchObject({ code: 'KEY_UNKNOWN' });
  });

  it('ends with the key’s expiry', async () => {
    const access = await open();
    const expiresAt = new Date(wall + 1000).toISOString();
    const { secret } = await access.keys.create(newKey({ expiresAt }));
    wall += 999;
    access.authorize(`Bearer ${secret}`, 'infer');
    wall += 1;
    expect(refusal(() => access.authorize(`Bearer ${secret}`, 'infer'))?.code).toBe('KEY_INVALID');
  });

  it('stays expired when the clock is set back', async () => {
    const access = await open();
    const expiresAt = new Date(wall + 1000).toISOString();
    const { secret } = await access.keys.create(newKey({ expiresAt }));
    now += 2000;
    wall -= 3_600_000;
    expect(refusal(() => access.authorize(`Bearer ${secret}`, 'infer'))?.code).toBe('KEY_INVALID');
  });

  it('survives a restart', async () => {
    const { secret } = await (await open()).keys.create(newKey());
    expect((await open()).authorize(`Bearer ${secret}`, 'infer').tenant).toBe('ward');
  });
});

describe('keys', () => {
  it('are stored without their secret and shown without their hash', async () => {
    const access = await open();
    const { key, secret } = await access.keys.create(newKey({ ratePerSecond: 5 }));
    expect(secret).toMatch(/^skein_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
    expect(JSON.stringify(await state.keys())).not.toContain(secret.slice(-43));
    expect(await access.keys.list()).toEqual([key]);
    expect(key).not.toHaveProperty('secretHash');
  });

  it.each<Partial<NewKey>>([
    { scopes: [] },
    { tenant: '' },
    { ratePerSecond: 0 },
    { ratePerSecond: Number.NaN },
    { maxConcurrent: 0 },
    { expiresAt: 'tomorrow' },
    { label: 'a\u001B]0;title\u0007' },
    { label: 'two\nlines' },
  ])('refuse %j instead of failing open', async (changes) => {
    const access = await open();
    await expect(access.keys.create(newKey(changes))).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
    expect(await access.keys.list()).toEqual([]);
  });
});

describe('a tenant’s weight', () => {
  it('is the largest of its valid keys, and 1 without any', async () => {
    const access = await open();
    const { keys } = access;
    expect(access.weightOf('ward')).toBe(1);
    await keys.create(newKey({ weight: 0.5 }));
    expect(access.weightOf('ward')).toBe(0.5);
    const large = await keys.create(newKey({ weight: 4 }));
    await keys.create(newKey({ weight: 3, expiresAt: '2026-07-01T00:00:00Z' }));
    await keys.create(newKey({ weight: 9, tenant: 'other' }));
    expect(access.weightOf('ward')).toBe(4);
    await keys.revoke(large.key.id);
    expect(access.weightOf('ward')).toBe(3);
    wall = Date.parse('2026-07-02T00:00:00Z');
    expect(access.weightOf('ward')).toBe(0.5);
    await keys.create(newKey());
    expect(access.weightOf('ward')).toBe(1);
    expect(access.weightOf('other')).toBe(9);
  });

  it('is known after a restart, and must be above 0', async () => {
    await (await open()).keys.create(newKey({ weight: 2.5 }));
    const access = await open();
    expect(access.weightOf('ward')).toBe(2.5);
    expect(await access.keys.list()).toMatchObject([{ weight: 2.5 }]);
    await expect(access.keys.create(newKey({ weight: 0 }))).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });
});

describe('limits', () => {
  it('reject a key above its rate, with the exact retry time', async () => {
    const access = await open();
    const { secret } = await access.keys.create(newKey({ ratePerSecond: 2 }));
    const call = () => access.authorize(`Bearer ${secret}`, 'infer');
    call();
    call();
    expect(refusal(call)).toEqual({ code: 'RATE_LIMITED', retryAfterMs: 500 });
    now += 499;
    expect(refusal(call)?.code).toBe('RATE_LIMITED');
    now += 1;
    call();
  });

  it('do not charge a call that its scope forbids', async () => {
    const access = await open();
    const { secret } = await access.keys.create(newKey({ ratePerSecond: 1 }));
    expect(refusal(() => access.authorize(`Bearer ${secret}`, 'admin'))?.code).toBe(
      'SCOPE_MISSING',
    );
    access.authorize(`Bearer ${secret}`, 'infer');
  });

  it('count the requests in flight of a tenant over all of its keys', async () => {
    const access = await open();
    const one = await access.keys.create(newKey({ maxConcurrent: 2 }));
    const two = await access.keys.create(newKey({ maxConcurrent: 2 }));
    const other = await access.keys.create(newKey({ maxConcurrent: 2, tenant: 'other' }));
    const [a, b, c] = [one, two, other].map(({ secret }) =>
      access.authorize(`Bearer ${secret}`, 'infer'),
    ) as [
      ReturnType<typeof access.authorize>,
      ReturnType<typeof access.authorize>,
      ReturnType<typeof access.authorize>,
    ];
    access.enter(a);
    access.enter(b);
    expect(refusal(() => access.enter(a))?.code).toBe('QUOTA_EXCEEDED');
    expect(refusal(() => access.enter(b))?.code).toBe('QUOTA_EXCEEDED');
    access.enter(c);
    access.leave(b);
    access.enter(a);
  });

  it('never count below zero, so that an extra leave gives no tenant a place', async () => {
    const access = await open();
    const { secret } = await access.keys.create(newKey({ maxConcurrent: 1 }));
    const caller = access.authorize(`Bearer ${secret}`, 'infer');
    access.leave(caller);
    access.enter(caller);
    access.leave(caller);
    access.leave(caller);
    access.enter(caller);
    expect(refusal(() => access.enter(caller))?.code).toBe('QUOTA_EXCEEDED');
  });

  it('estimate when a place becomes free from how fast the tenant’s requests end', async () => {
    const access = await open();
    const { secret } = await access.keys.create(newKey({ maxConcurrent: 4 }));
    const caller = access.authorize(`Bearer ${secret}`, 'infer');
    for (let count = 0; count < 4; count += 1) access.enter(caller);
    for (let count = 0; count < 200; count += 1) {
      now += 20;
      access.leave(caller);
      access.enter(caller);
    }
    const retry = () => refusal(() => access.enter(caller))?.retryAfterMs;
    expect([20, 21]).toContain(retry());
    for (let count = 0; count < 4; count += 1) access.leave(caller);
    now += 3_600_000; // An idle hour is not a slow request.
    for (let count = 0; count < 4; count += 1) access.enter(caller);
    now += 20;
    access.leave(caller);
    access.enter(caller);
    expect(retry()).toBeLessThan(22);
  });
});
