import { SkeinError } from '@skein/api';
import { openState, type State } from '@skein/state';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAccess } from '../access.ts';
import { auditTrail } from '../audit-trail.ts';

type Access = Awaited<ReturnType<typeof createAccess>>;

/** Two nodes over one state; the second follows when the test calls it. */
let state: State;
let here: Access;
let there: Access;
let isAway: boolean;
let isOld: boolean;

beforeEach(async () => {
  state = await openState(':memory:');
  isAway = false;
  isOld = false;
  const away = () => new SkeinError('STORE_UNREACHABLE', 'The store is away.');
  const doubt = {
    missing: () => (isAway ? away() : undefined),
    outdated: () => (isOld ? away() : undefined),
  };
  const open = () => createAccess({ state, mode: 'keys', clock: { now: () => 0 }, doubt });
  here = await open();
  there = await open();
});
afterEach(() => state.close());

const follow = async () => there.keys.follow(await state.keys());
const newKey = (label = 'l') =>
  here.keys.create({ label, tenant: 't', scopes: ['infer'], weight: 3 });
const codeAt = (access: Access, secret: string): string => {
  try {
    access.authorize(`Bearer ${secret}`, 'infer');
    return 'admitted';
  } catch (error) {
    return (error as SkeinError).code;
  }
};

describe('the keys of a fleet on one node', () => {
  it("are every node's, until they are revoked on any", async () => {
    const { key, secret } = await newKey();
    expect(codeAt(there, secret)).toBe('KEY_INVALID');
    await follow();
    expect(codeAt(there, secret)).toBe('admitted');
    expect(there.weightOf('t')).toBe(3);

    const ends: string[] = [];
    const caller = there.authorize(`Bearer ${secret}`, 'infer');
    there.watch(caller, ({ code }) => ends.push(code));
    await here.keys.revoke(key.id);
    await follow();
    expect(codeAt(there, secret)).toBe('KEY_INVALID');
    // An open stream ends too, once.
    await follow();
    expect(ends).toEqual(['KEY_INVALID']);
    expect(await there.keys.show(key.id)).toMatchObject({ revokedAt: expect.any(String) });
    expect(there.weightOf('t')).toBe(1);
  });

  it('keep the state of their limits when they are read again', async () => {
    const { secret } = await here.keys.create({
      label: 'l',
      tenant: 't',
      scopes: ['infer'],
      ratePerSecond: 1,
    });
    await follow();
    expect(codeAt(there, secret)).toBe('admitted');
    await follow();
    expect(codeAt(there, secret)).toBe('RATE_LIMITED');
  });

  it('end when the store that an operator adopted does not have them', async () => {
    const { key, secret } = await newKey();
    await follow();
    const ends: string[] = [];
    there.watch(there.authorize(`Bearer ${secret}`, 'infer'), ({ code }) => ends.push(code));
    there.keys.follow([]);
    expect(codeAt(there, secret)).toBe('KEY_INVALID');
    expect(ends).toEqual(['KEY_INVALID']);
    await expect(there.keys.show(key.id)).rejects.toThrow(/no API key/);
  });

  it('name the key that may be added although its maker got an error', async () => {
    const addKey = vi.spyOn(state, 'addKey');
    addKey.mockImplementationOnce(async (record) => {
      await state.addKey(record);
      throw new SkeinError('STORE_UNREACHABLE', 'The store is away.', { retryAfterMs: 1000 });
    });
    const by = { actor: 'local', remote: '127.0.0.1', action: 'createKey', subject: () => '' };
    const audit = auditTrail(state, (error) => expect(error).toBe(undefined));
    const refused = await audit(by, () => newKey()).catch((error: SkeinError) => error);
    const [{ id } = { id: '' }] = await state.keys();
    expect(refused).toMatchObject({
      code: 'STORE_UNREACHABLE',
      retryAfterMs: 1000,
      message: `The store is away. If \`skein keys ls\` lists the key ${id} later, revoke it: its secret was not given out.`,
    });
    expect(await state.audit(1)).toMatchObject([
      { action: 'createKey', subject: id, outcome: 'STORE_UNREACHABLE' },
    ]);
    await follow();
    expect((await there.keys.list()).map((key) => key.id)).toEqual([id]);
    await there.keys.revoke(id);
  });

  it('are never called invalid because the store is away', async () => {
    const { secret } = await newKey();
    const { secret: later } = await newKey('later');
    there.keys.follow((await state.keys()).slice(0, 1));
    isAway = true;
    expect(codeAt(there, secret)).toBe('admitted');
    expect(codeAt(there, later)).toBe('STORE_UNREACHABLE');
    // This one has the id of a known key, and not its secret.
    expect(codeAt(there, `${secret.slice(0, -4)}AAAA`)).toBe('KEY_INVALID');
    expect(codeAt(there, 'no key at all')).toBe('KEY_INVALID');
    isOld = true;
    expect(codeAt(there, secret)).toBe('STORE_UNREACHABLE');
  });
});
