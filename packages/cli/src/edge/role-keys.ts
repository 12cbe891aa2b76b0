/**
 * The keys of a publisher in a folder: `ROLE.pem` each, in PKCS #8, which openssl reads too. Only their owner may read
 * them. `root.pem` signs rarely, and may be kept elsewhere between.
 */
import { readFile, rename, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeFolders } from '@skein/api/folders';
import { SkeinError } from '@skein/api/errors';
import {
  createKey,
  importKey,
  ROLES,
  type EdgeKey,
  type Role,
  type RoleKeys,
} from '@skein/edge/publish';
import { writeGivenFile } from '../file.ts';

const HEADER = '-----BEGIN PRIVATE KEY-----';
const FOOTER = '-----END PRIVATE KEY-----';
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** @throws SkeinError EDGE_KEYS if the folder has keys already. */
export async function createRoleKeys(cwd: string, folder: string): Promise<RoleKeys> {
  const place = resolve(cwd, folder);
  const existing = await stat(join(place, 'root.pem')).catch(() => undefined);
  if (existing !== undefined) {
    throw new SkeinError('EDGE_KEYS', `${folder} has keys already; --rotate ROLE replaces one.`);
  }
  await makeFolders(place, FOLDER_MODE);
  const keys: Partial<Record<Role, EdgeKey[]>> = {};
  for (const role of ROLES) keys[role] = [await written(place, `${role}.pem`)];
  return keys as RoleKeys;
}

/** @throws SkeinError EDGE_KEYS if one is missing. */
export async function readRoleKeys(
  cwd: string,
  folder: string,
  roles: readonly Role[] = ROLES,
): Promise<RoleKeys> {
  const keys: Partial<Record<Role, EdgeKey[]>> = {};
  for (const role of ROLES) {
    keys[role] = roles.includes(role) ? [await readKey(resolve(cwd, folder), `${role}.pem`)] : [];
  }
  return keys as RoleKeys;
}

/**
 * A new key for a role, next to the one in use: a root that names it may be published before `finish` replaces the old
 * file. Where that was interrupted, the same new key is returned again.
 */
export async function nextKey(
  cwd: string,
  folder: string,
  role: Role,
): Promise<{ readonly key: EdgeKey; readonly finish: () => Promise<void> }> {
  const place = resolve(cwd, folder);
  const next = `${role}.next.pem`;
  const existing = await stat(join(place, next)).catch(() => undefined);
  const key = existing === undefined ? await written(place, next) : await readKey(place, next);
  return { key, finish: () => rename(join(place, next), join(place, `${role}.pem`)) };
}

async function written(folder: string, name: string): Promise<EdgeKey> {
  const key = await createKey();
  const base64 = Buffer.from(await key.exported()).toString('base64');
  await writeGivenFile(folder, name, `${HEADER}\n${base64}\n${FOOTER}\n`, FILE_MODE);
  return key;
}

async function readKey(folder: string, name: string): Promise<EdgeKey> {
  const path = join(folder, name);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new SkeinError('EDGE_KEYS', `${path} cannot be read.`, { cause: error });
  }
  const base64 = text.replace(HEADER, '').replace(FOOTER, '').replaceAll(/\s/g, '');
  return importKey(new Uint8Array(Buffer.from(base64, 'base64')), path);
}
