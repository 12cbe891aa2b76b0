/**
 * The membership of a device at a node: its own key, its enrolment, and its last permission. It is one file of the
 * device, so a device that starts without a network still keeps to its permission.
 */
import type { DevicePermission } from '@skein/api';
import { deviceInvitationOf, enrolmentBytes } from '@skein/api/devices';
import { fromHex, toHex } from '@skein/api/canonical';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { createSigningKey, importSigningKey, type SigningKey } from '@skein/api/signing-key';
import { z } from 'zod';
import { readValue, writeValue, type Storage } from '../update/storage.ts';

const PATH = 'membership.json';

const MembershipFile = z.object({
  schema: z.literal(1),
  /** The key pair in PKCS #8, in hex. */
  key: z.string().regex(/^([0-9a-f]{2})+$/),
  url: z.string(),
  /** Absent: the enrolment has not been answered. */
  id: z.string().optional(),
  name: z.string().optional(),
  /** Number of the newest report. */
  sequence: z.number().int(),
  permission: z.object({ upTo: z.number().int(), first: z.boolean(), why: z.string() }).nullable(),
  /** When the node answered last, in milliseconds since 1970. */
  answeredAt: z.number(),
});
type MembershipFile = z.output<typeof MembershipFile>;

export interface Membership {
  readonly url: string;
  readonly key: SigningKey;
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly permission: DevicePermission | null;
  readonly answeredAt: number;
  /** Enrols the key, unless it is enrolled. @throws SkeinError of the node; INVITATION_INVALID without an invitation. */
  enrol(client: Client): Promise<string>;
  /** A number above all that were given, also after a folder was restored from a copy. */
  nextSequence(): Promise<number>;
  allowed(permission: DevicePermission | null): Promise<void>;
}

/**
 * @param invitation a link that `skein edge invite` printed; it is used once, and may stay in the configuration.
 * @throws SkeinError INVITATION_INVALID, also without an invitation on a device that is not enrolled.
 */
export async function openMembership(
  storage: Storage,
  invitation: string | undefined,
  now: () => number = Date.now,
): Promise<Membership> {
  const stored = MembershipFile.safeParse(await readValue(storage, PATH));
  const link = invitation === undefined ? undefined : deviceInvitationOf(invitation);
  const key = stored.success
    ? await importSigningKey(fromHex(stored.data.key))
    : await createSigningKey();
  if (!stored.success && link === undefined) throw uninvited();
  let file: MembershipFile = stored.success
    ? stored.data
    : {
        schema: 1,
        key: toHex(await key.exported()),
        url: link!.url,
        sequence: 0,
        permission: null,
        answeredAt: 0,
      };
  // Another node: the device enrols there, with the key that it has.
  if (link !== undefined && link.url !== file.url) {
    const { id: _, name: __, ...rest } = file;
    file = { ...rest, url: link.url, permission: null, answeredAt: 0 };
  }

  async function become(change: Partial<MembershipFile>): Promise<void> {
    file = { ...file, ...change };
    await writeValue(storage, PATH, file);
  }

  return {
    key,
    get url() {
      return file.url;
    },
    get id() {
      return file.id;
    },
    get name() {
      return file.name;
    },
    get permission() {
      return file.permission;
    },
    get answeredAt() {
      return file.answeredAt;
    },
    async enrol(client) {
      if (file.id !== undefined) return file.id;
      if (link === undefined) throw uninvited();
      // The key is stored first: the node must not hold one that a power cut has taken from the device.
      await become({});
      const signature = toHex(await key.signBytes(enrolmentBytes(link.id, key.key)));
      const enrolled = await client.enrolDevice({
        invitation: link.proof,
        key: key.key,
        signature,
      });
      await become({ id: enrolled.id, name: enrolled.name });
      return enrolled.id;
    },
    async nextSequence() {
      const sequence = Math.max(file.sequence + 1, now());
      await become({ sequence });
      return sequence;
    },
    allowed: (permission) => become({ permission, answeredAt: now() }),
  };
}

function uninvited(): SkeinError {
  return new SkeinError(
    'INVITATION_INVALID',
    'The device is not enrolled, and no invitation was given.',
  );
}
