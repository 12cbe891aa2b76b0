/**
 * Users and their API keys. A key identifies the caller; its hash is looked up at every call, so
 * that a key that the command line creates or revokes takes effect at the next call.
 */
import { timingSafeEqual } from 'node:crypto';
import { SkeinError } from '@skein/api';
import { bearerOf, hashToken, idOfToken, issueToken } from '@skein/http';
import type { Database } from '@skein/state';

export interface User {
  readonly name: string;
  readonly admin: boolean;
}

export interface KeyView {
  readonly id: string;
  /** Ms since the epoch. */
  readonly createdAt: number;
  readonly revokedAt: number | undefined;
}

export interface UserView extends User {
  readonly createdAt: number;
  readonly keys: readonly KeyView[];
}

export type Accounts = ReturnType<typeof openAccounts>;

/** The name is the tenant of the user's jobs, too. */
const NAME = /^[a-z0-9]([a-z0-9._-]{0,38}[a-z0-9])?$/;

export function openAccounts(database: Database, now: () => number) {
  const findKey = database.prepare(
    `SELECT hash, name, admin FROM keys JOIN users ON users.name = keys.user
     WHERE keys.id = ? AND revoked_at IS NULL`,
  );
  const hasUser = database.prepare('SELECT 1 FROM users WHERE name = ?');
  const insertUser = database.prepare(
    'INSERT INTO users (name, admin, created_at) VALUES (?, ?, ?)',
  );
  const insertKey = database.prepare(
    'INSERT INTO keys (id, user, hash, created_at) VALUES (?, ?, ?, ?)',
  );
  const revoke = database.prepare(
    'UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL',
  );
  const listUsers = database.prepare('SELECT name, admin, created_at FROM users ORDER BY name');
  const listKeys = database.prepare(
    'SELECT id, created_at, revoked_at FROM keys WHERE user = ? ORDER BY created_at, id',
  );

  function issueFor(name: string): string {
    const { id, token, hash } = issueToken();
    insertKey.run(id, name, hash, now());
    return token;
  }

  return {
    /**
     * @param authorization the header `Bearer KEY`.
     * @returns the user and the id of the key; undefined when there is no header.
     * @throws SkeinError KEY_INVALID.
     */
    authenticate(authorization: string | undefined) {
      if (authorization === undefined) return undefined;
      const token = bearerOf(authorization) ?? '';
      const id = idOfToken(token);
      const row = id === undefined ? undefined : database.read(() => findKey.get(id));
      if (id === undefined || row === undefined || !isKey(token, row['hash'])) {
        throw new SkeinError('KEY_INVALID', 'The API key is unknown or revoked.');
      }
      return { user: { name: row['name'] as string, admin: row['admin'] === 1 }, key: id };
    },
    /** Whether a key exists and is not revoked. */
    isValid: (key: string): boolean => database.read(() => findKey.get(key)) !== undefined,
    /** @returns the first key of the user: it is shown once. @throws SkeinError USER_EXISTS, REQUEST_INVALID. */
    add(name: string, admin: boolean): string {
      if (!NAME.test(name)) {
        throw new SkeinError(
          'REQUEST_INVALID',
          `"${name.slice(0, 50)}" is not a valid user name: 1–40 of a–z, 0–9, ".", "_" and "-", with a letter or digit first and last.`,
        );
      }
      return database.write('power-cut', () => {
        if (hasUser.get(name) !== undefined) {
          throw new SkeinError('USER_EXISTS', `There is a user "${name}" already.`);
        }
        insertUser.run(name, admin ? 1 : 0, now());
        return issueFor(name);
      });
    },
    /** @returns another key. @throws SkeinError USER_UNKNOWN. */
    addKey(name: string): string {
      return database.write('power-cut', () => {
        if (hasUser.get(name) === undefined) {
          throw new SkeinError('USER_UNKNOWN', `There is no user "${name.slice(0, 50)}".`);
        }
        return issueFor(name);
      });
    },
    /** @throws SkeinError KEY_UNKNOWN. */
    revokeKey(id: string): void {
      const { changes } = database.write('power-cut', () => revoke.run(now(), id));
      if (changes === 0) {
        throw new SkeinError('KEY_UNKNOWN', `There is no valid key "${id.slice(0, 50)}".`);
      }
    },
    list: (): UserView[] =>
      database.read(() =>
        listUsers.all().map((user) => ({
          name: user['name'] as string,
          admin: user['admin'] === 1,
          createdAt: user['created_at'] as number,
          keys: listKeys.all(user['name'] as string).map((key) => ({
            id: key['id'] as string,
            createdAt: key['created_at'] as number,
            revokedAt: (key['revoked_at'] as number | null) ?? undefined,
          })),
        })),
      ),
  };
}

function isKey(token: string, hash: unknown): boolean {
  return timingSafeEqual(hashToken(token), Buffer.from(hash as string, 'hex'));
}
