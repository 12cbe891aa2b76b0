/** Keys that end while a stream of their user is open. */
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import type { SkeinError } from '@skein/api';
import { createJudgeAccess, type SignedIn } from './access.ts';
import { openAccounts } from './accounts.ts';
import { openJudgeDatabase } from '../schema.ts';

function open() {
  const folder = testFolder();
  const path = join(folder, 'judge.db');
  const [here, elsewhere] = [openJudgeDatabase(path), openJudgeDatabase(path)];
  const accounts = openAccounts(here, Date.now);
  const access = createJudgeAccess(accounts);
  onTestFinished(() => {
    access.close();
    here.close();
    elsewhere.close();
  });
  return { accounts, access, commandLine: openAccounts(elsewhere, Date.now) };
}

it('sees a key that the command line revokes in another process', async () => {
  const { accounts, access, commandLine } = open();
  const authorization = `Bearer ${accounts.add('alice', false)}`;
  const caller = access.authorize(authorization, 'user') as SignedIn;
  expect(caller).toMatchObject({ tenant: 'alice', user: { name: 'alice', admin: false } });
  const ends: SkeinError[] = [];
  access.watch(caller, (error) => ends.push(error));
  const stop = access.watch(caller, (error) => ends.push(error));
  stop();
  commandLine.revokeKey(caller.key);
  await expect.poll(() => ends, { timeout: 10_000 }).toMatchObject([{ code: 'KEY_INVALID' }]);
  expect(() => access.authorize(authorization, 'public')).toThrow(/unknown or revoked/);
});

it('admits callers without a key to what is public alone', () => {
  const { accounts, access } = open();
  expect(access.authorize(undefined, 'public').user).toBeUndefined();
  expect(() => access.authorize(undefined, 'user')).toThrow(/needs an API key/);
  const authorization = `Bearer ${accounts.add('bob', false)}`;
  expect(() => access.authorize(authorization, 'admin')).toThrow(/bob is none/);
});
