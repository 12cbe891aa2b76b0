/** Signs the files of a publisher. `publish` writes them where devices read them. */
import { utf8 } from '@skein/api/canonical';
import { signedBytes } from './canonical-json.ts';
import type { EdgeKey } from './keys.ts';
import { ROLES, type Role, type Signed } from './metadata.ts';
import type { Bytes } from './source.ts';

const SPEC_VERSION = '1.0.31';
const DAY_MS = 86_400_000;

/**
 * Days until a file of each role expires. A timestamp that is replayed hides newer ones for as long, and a publisher
 * must renew it that often. The keys of root are used rarely, so that they can be kept offline.
 */
export const EXPIRES_DAYS: Readonly<Record<Role, number>> = {
  root: 730,
  targets: 365,
  snapshot: 30,
  timestamp: 30,
};

export type RoleKeys = Readonly<Record<Role, readonly EdgeKey[]>>;

/** Seconds are the precision of TUF. */
const timeText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

interface Common {
  readonly version: number;
  readonly now: number;
}

function commonOf<R extends Role>(role: R, { version, now }: Common) {
  return {
    _type: role,
    spec_version: SPEC_VERSION,
    version,
    expires: timeText(now + EXPIRES_DAYS[role] * DAY_MS),
    signed_at: timeText(now),
  } as const;
}

/** @param thresholds keys that must sign a role; default: one. */
export function rootOf(
  keys: RoleKeys,
  common: Common,
  thresholds: Partial<Readonly<Record<Role, number>>> = {},
): Signed<'root'> {
  const all = ROLES.flatMap((role) => keys[role]).map(({ id, key }) => [id, key] as const);
  const roleOf = (role: Role) => ({
    keyids: keys[role].map(({ id }) => id),
    threshold: thresholds[role] ?? 1,
  });
  return {
    ...commonOf('root', common),
    consistent_snapshot: true,
    keys: Object.fromEntries(all),
    roles: {
      root: roleOf('root'),
      targets: roleOf('targets'),
      snapshot: roleOf('snapshot'),
      timestamp: roleOf('timestamp'),
    },
  };
}

export function targetsOf(
  targets: Signed<'targets'>['targets'],
  common: Common,
): Signed<'targets'> {
  return { ...commonOf('targets', common), targets };
}

export function snapshotOf(
  targets: Signed<'snapshot'>['meta']['targets.json'],
  common: Common,
): Signed<'snapshot'> {
  return { ...commonOf('snapshot', common), meta: { 'targets.json': targets } };
}

export function timestampOf(
  snapshot: Signed<'timestamp'>['meta']['snapshot.json'],
  common: Common,
): Signed<'timestamp'> {
  return { ...commonOf('timestamp', common), meta: { 'snapshot.json': snapshot } };
}

/** The file of a role, with a signature of each key. */
export async function signFile(signed: Signed<Role>, keys: readonly EdgeKey[]): Promise<Bytes> {
  const bytes = signedBytes(signed);
  const signatures = [];
  for (const key of keys) signatures.push({ keyid: key.id, sig: await key.sign(bytes) });
  return utf8(JSON.stringify({ signatures, signed }));
}
