/**
 * `skein-judge users`: manages the users of a judge through its data folder, whether it runs or
 * not.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { type Accounts, openAccounts } from '../service/accounts/accounts.ts';
import { openJudgeDatabase } from '../service/schema.ts';
import { userView } from '../service/api/views.ts';
import type { CommandOptions } from './options.ts';
import type { Command } from './run.ts';

export const runUsers: Command = async ([verb, name, ...rest], options, { stdout }) => {
  const folder = options.data;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const database = openJudgeDatabase(join(folder, 'judge.db'));
  try {
    if (rest.length > 0) throw new SkeinError('USAGE', `users ${verb} takes no ${rest[0]}.`);
    stdout.write(perform(openAccounts(database, Date.now), verb, name, options));
    return 0;
  } finally {
    database.close();
  }
};

function perform(
  accounts: Accounts,
  verb: string | undefined,
  name: string | undefined,
  { admin, json }: CommandOptions,
): string {
  const issued = (key: string): string =>
    json
      ? `${JSON.stringify({ user: name, key })}\n`
      : `The key of ${name}; it is shown only now:\n  ${key}\n`;
  if (verb === 'ls' || verb === undefined) return listed(accounts, json);
  if (name !== undefined) {
    if (verb === 'add') return issued(accounts.add(name, admin));
    if (verb === 'key') return issued(accounts.addKey(name));
    if (verb === 'revoke') {
      accounts.revokeKey(name);
      return json ? `${JSON.stringify({ revoked: name })}\n` : `Key ${name} is revoked.\n`;
    }
  }
  throw new SkeinError(
    'USAGE',
    'users needs one of: ls, add NAME [--admin], key NAME, revoke KEY-ID.',
  );
}

function listed(accounts: Accounts, json: boolean): string {
  const users = accounts.list().map(userView);
  if (json) return `${JSON.stringify({ users })}\n`;
  const lines = users.map(({ name, admin, keys }) => {
    const valid = keys.filter((key) => key.revokedAt === undefined).map(({ id }) => id);
    return `${name.padEnd(24)} ${admin ? 'admin' : '     '}  ${valid.join(' ') || 'no valid key'}`;
  });
  return lines.length === 0 ? 'No users: skein-judge users add NAME\n' : `${lines.join('\n')}\n`;
}
