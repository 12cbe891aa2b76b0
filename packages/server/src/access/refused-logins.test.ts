import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Peer } from '@skein/http';
import { openSqliteState, type State } from '@skein/state';
import { createAccess } from './access.ts';
import { strictLogger } from '../testing/fake-inference.ts';
import { recordRefusedLogins } from './refused-logins.ts';

let state: State;
beforeEach(async () => {
  state = await openSqliteState(':memory:');
});
afterEach(() => state.close());

async function recorded(firstMs = 1) {
  const clock = { now: () => performance.now() };
  const access = await createAccess({ state, mode: 'keys', clock });
  const { key, secret } = await access.keys.create({
    label: 'test',
    tenant: 'ward',
    scopes: ['infer'],
  });
  const faces = recordRefusedLogins({
    access,
    keys: access.keys,
    state,
    logger: strictLogger,
    firstMs,
    nextMs: 60_000,
  });
  return { faces, key, secret };
}

const attempt = (action: () => unknown): void => {
  expect(action).toThrow(/key/i);
};
const rows = async () =>
  (await state.audit(100)).map(({ actor, action, subject, outcome, remote }) =>
    [actor, action, subject, outcome, remote].join(' '),
  );
const fromAddress = (address: string): Peer => ({ getPeer: () => address });
const from = fromAddress('10.0.0.7');

test('a refused login is recorded and counted, without the key that was sent', async () => {
  const { faces, key, secret } = await recorded();
  for (let i = 0; i < 3; i++) attempt(() => faces.authorize(undefined, 'infer', from));
  attempt(() => faces.authorize(`Bearer ${secret}`, 'admin', { getPeer: () => '10.0.0.8:99' }));
  const wrong = `Bearer skein_${key.id}_${'x'.repeat(43)}`;
  attempt(() => faces.authorize(wrong, 'infer', from));
  attempt(() => faces.authorize(`Bearer skein_0123456789ab_${'x'.repeat(43)}`, 'read', from));
  expect(faces.authorize(`Bearer ${secret}`, 'infer', from).tenant).toBe('ward');
  await expect.poll(rows).toHaveLength(4);
  expect((await rows()).toSorted()).toEqual(
    [
      'unknown login infer ×3 KEY_MISSING 10.0.0.7',
      `${key.id} login admin SCOPE_MISSING 10.0.0.8:99`,
      `${key.id} login infer KEY_INVALID 10.0.0.7`,
      'unknown login read KEY_INVALID 10.0.0.7',
    ].toSorted(),
  );
});

test('a flood writes a bounded number of rows, and a summary of the rest at the end', async () => {
  const { faces } = await recorded();
  const flood = (): void => {
    for (let i = 0; i < 1000; i++) {
      attempt(() => faces.authorize(undefined, 'infer', fromAddress(`10.0.0.${i}`)));
    }
  };
  flood();
  await expect.poll(rows).toHaveLength(11);
  expect(await rows()).toContain('unknown login (others) ×990 (others) (others)');
  // Within the minute nothing more is written; when the node ends, the rest is.
  flood();
  await new Promise((resolve) => setImmediate(resolve));
  expect(await rows()).toHaveLength(11);
  await faces.close();
  expect(await rows()).toHaveLength(22);
});
