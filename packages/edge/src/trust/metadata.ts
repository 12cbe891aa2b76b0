/**
 * The four files that a publisher signs, as TUF 1.0 has them (section 4): `root` names the keys, `targets` the content,
 * `snapshot` the version of `targets`, and `timestamp` the version of `snapshot`.
 *
 * Fields that TUF does not name are signed too, so `signed` stays as it was received. One of them is ours: `signed_at`,
 * the publisher's time, below which no clock of a device counts.
 */
import { readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api/errors';
import { z } from 'zod';

export const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type Role = (typeof ROLES)[number];

/** Largest file of each role, in bytes, where no signed file gives its length; tuf-js has the same bounds. */
export const MOST_BYTES: Readonly<Record<Role, number>> = {
  root: 512_000,
  targets: 5_000_000,
  snapshot: 2_000_000,
  timestamp: 16_384,
};

const Version = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const Time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  .refine((text) => !Number.isNaN(Date.parse(text)));
const Digest = z.string().regex(/^[0-9a-f]{64}$/);
const Hashes = z.looseObject({ sha256: Digest });
/** A file of another role. Its version is always checked; length and hash where they are given. */
const MetaFile = z.looseObject({
  version: Version,
  length: z.number().int().min(0).optional(),
  hashes: Hashes.optional(),
});
const TargetFile = z.looseObject({ length: z.number().int().min(0), hashes: Hashes });
const Key = z.looseObject({
  keytype: z.literal('ed25519'),
  scheme: z.literal('ed25519'),
  keyval: z.looseObject({ public: Digest }),
});
const RoleKeys = z.looseObject({
  keyids: z.array(Digest),
  threshold: z.number().int().min(1),
});

const common = {
  spec_version: z.string().regex(/^1\.\d+(\.\d+)?$/),
  version: Version,
  expires: Time,
  signed_at: Time.optional(),
};

const SIGNED = {
  root: z.looseObject({
    _type: z.literal('root'),
    ...common,
    consistent_snapshot: z.literal(true),
    keys: z.record(Digest, Key),
    roles: z.looseObject({
      root: RoleKeys,
      targets: RoleKeys,
      snapshot: RoleKeys,
      timestamp: RoleKeys,
    }),
  }),
  targets: z.looseObject({
    _type: z.literal('targets'),
    ...common,
    targets: z.record(z.string().min(1).max(200), TargetFile),
  }),
  snapshot: z.looseObject({
    _type: z.literal('snapshot'),
    ...common,
    meta: z.looseObject({ 'targets.json': MetaFile }).catchall(MetaFile),
  }),
  timestamp: z.looseObject({
    _type: z.literal('timestamp'),
    ...common,
    meta: z.looseObject({ 'snapshot.json': MetaFile }),
  }),
} as const;

const Signatures = z.array(
  z.looseObject({ keyid: Digest, sig: z.string().regex(/^[0-9a-f]{128}$/) }),
);

export type Signed<R extends Role> = z.output<(typeof SIGNED)[R]>;
export type RoleKeys = z.output<typeof RoleKeys>;
export type Key = z.output<typeof Key>;
export type MetaFile = z.output<typeof MetaFile>;
export type TargetFile = z.output<typeof TargetFile>;

/** A file whose form is checked, and whose signatures are not. */
export interface Metadata<R extends Role = Role> {
  readonly role: R;
  /** The file as it was received. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly signed: Signed<R>;
  /** The signed value: `signed` with every field that was received. */
  readonly raw: unknown;
  readonly signatures: ReadonlyMap<string, string>;
}

/** @throws SkeinError EDGE_UNTRUSTED if the bytes do not have the form of the role. */
export function parseMetadata<R extends Role>(
  role: R,
  bytes: Uint8Array<ArrayBuffer>,
): Metadata<R> {
  const file = `${role}.json`;
  let value: unknown;
  try {
    value = readJson(bytes, {
      bytes: MOST_BYTES[role],
      depth: 16,
      values: 200_000,
      members: 20_000,
    });
  } catch (error) {
    throw untrusted(`${file} cannot be read: ${(error as Error).message}`, error);
  }
  const whole = z.looseObject({ signed: SIGNED[role], signatures: Signatures }).safeParse(value);
  if (!whole.success) {
    const issue = whole.error.issues[0]!;
    throw untrusted(
      `${file} is invalid at ${issue.path.join('.') || 'its top'}: ${issue.message}.`,
    );
  }
  const signatures = new Map(whole.data.signatures.map(({ keyid, sig }) => [keyid, sig]));
  if (signatures.size !== whole.data.signatures.length) {
    throw untrusted(`${file} has two signatures of one key.`);
  }
  const raw = (value as { readonly signed: unknown }).signed;
  return { role, bytes, signed: whole.data.signed as Signed<R>, raw, signatures };
}

export function untrusted(message: string, cause?: unknown): SkeinError {
  return new SkeinError('EDGE_UNTRUSTED', message, { cause });
}
