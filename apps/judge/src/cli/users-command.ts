/**
 * `skein-judge users`: manages the users of a judge through its data folder, whether it runs or
 * not.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders } from '@skein/api/folders';
import { SkeinError } from '@skein/api';
import { type Accounts, openAccounts } from '../service/accounts/accounts.ts';
import { openJudgeDatabase } from '../service/schema.ts';
import { userView } from '../service/api/views.ts';
import type { Command, CommandOptions } from './options.ts';

export const runUsers: Command = async ([verb, name, ...rest], options, { stdout }) => {
  if (rest.length > 0) throw new SkeinError('USAGE', `users ${verb} takes no ${rest[0]}.`);
  requireVerb(verb, name);
  const folder = options.data;
  if (verb === 'add') await makeFolders(folder, 0o700);
  else if (!existsSync(join(folder, 'judge.db'))) {
    throw new SkeinError(
      'USAGE',
      `${folder} is not the data folder of a judge: it has no judge.db. --data names another; users add NAME and serve make one.`,
    );
  }
  const database = openJudgeDatabase(join(folder, 'judge.db'));
  try {
    stdout.write(perform(openAccounts(database, Date.now), verb, name ?? '', options));
    return 0;
  } finally {
    database.close();
  }
};

function perform(
  accounts: Accounts,
  verb: string | undefined,
  name: string,
  { admin, json }: CommandOptions,
): string {
  const issued = (key: string): string =>
    json
      ? `${JSON.stringify({ user: name, key })}\n`
      : `The key of ${name}; it is shown only now:\n  ${key}\n`;
  if (verb === 'ls' || verb === undefined) return listed(accounts, json);
  if (verb === 'add') return issued(accounts.add(name, admin));
  if (verb === 'key') return issued(accounts.addKey(name));
  accounts.revokeKey(name);
  return json ? `${JSON.stringify({ revoked: name })}\n` : `Key ${name} is revoked.\n`;
}

/** Nothing is opened, or made, for a command that means nothing. @throws SkeinError USAGE. */
function requireVerb(verb: string | undefined, name: string | undefined): void {
  if (verb === 'ls' || verb === undefined) return;
  if (name !== undefined && ['add', 'key', 'revoke'].includes(verb)) return;
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
