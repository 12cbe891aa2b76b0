/** Content that a client keeps for the node is returned unchanged, or not at all. */
import { openState } from '@skein/state';
import { expect, it, vi } from 'vitest';
import { sealKey } from '../../language/seal-key.ts';
import { signaturesIn } from './reasoning-item.ts';
import { reasoningSeals, type SealsOptions } from './reasoning-seals.ts';

const key = Buffer.alloc(32, 1);
const seals = (options: Partial<SealsOptions> = {}) =>
  reasoningSeals({ key, tenant: 'shop', hold: () => {}, ...options });

it('is opened for the tenant and with the key that sealed it, and takes memory then', () => {
  const hold = vi.fn<(bytes: number) => void>();
  const sealed = seals().seal('{"a":"ü"}')!;
  expect(seals({ hold }).open(sealed, 'x')).toBe('{"a":"ü"}');
  expect(hold.mock.calls).toEqual([[sealed.length]]);
});

it('is void with another key, for another tenant, changed, or without a key; and takes no memory', () => {
  const hold = vi.fn<(bytes: number) => void>();
  const sealed = seals().seal('{"a":1}')!;
  expect(seals({ hold, key: Buffer.alloc(32, 2) }).open(sealed, 'x')).toBeUndefined();
  expect(seals({ hold, tenant: 'shopp' }).open(sealed, 'x')).toBeUndefined();
  expect(seals({ hold, key: undefined }).open(sealed, 'x')).toBeUndefined();
  for (let at = 'skein:'.length; at < sealed.length - 1; at++) {
    const other = sealed[at] === 'A' ? 'B' : 'A';
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
    expect(seals({ hold }).open(changed, 'x')).toBeUndefined();
  }
  expect(seals({ key: undefined }).seal('{}')).toBeUndefined();
  expect(hold).not.toHaveBeenCalled();
});

it('is bounded: one content is not sealed or opened above its size, and all of a request are refused', () => {
  const long = 'x'.repeat(400 * 1024);
  expect(seals().seal(long)).toBeUndefined();
  expect(seals().open(`skein:${long}${long}`, 'x')).toBeUndefined();
  const one = seals();
  const open = () => one.open(`skein:${long}`, 'input[3].encrypted_content');
  for (let count = 0; count < 10; count++) expect(open()).toBeUndefined();
  expect(open).toThrow(/"encrypted_content" of the items has more than 4194304 characters/);
});

it('is not parsed unless it was sealed here', () => {
  const parse = vi.spyOn(JSON, 'parse');
  const costly = `[${'{},'.repeat(100_000)}{}]`;
  const forged = `skein:${Buffer.from(costly).toString('base64url')}`;
  expect(signaturesIn(forged, 'x', seals())).toBeUndefined();
  expect(parse).not.toHaveBeenCalled();
  parse.mockRestore();
});

it('has one key for all nodes of a state; without the store nothing is sealed until it is back', async () => {
  const state = await openState(':memory:');
  const [one, two] = await Promise.all([sealKey(state.secrets)(), sealKey(state.secrets)()]);
  expect(one).toHaveLength(32);
  expect(two).toEqual(one);
  let isAway = true;
  const secret: typeof state.secrets.secret = (...args) =>
    isAway ? Promise.reject(new Error('away')) : state.secrets.secret(...args);
  const later = sealKey({ secret });
  expect(await later()).toBeUndefined();
  isAway = false;
  expect(await later()).toEqual(one);
  await state.close();
});
