/**
 * Terms that a node, its operator and a device share: the invitation, and what a device signs. In Node and in the
 * browser.
 *
 * An invitation is a link: the address of the node, and in its fragment, which is never sent, `skein-device_` and JSON in
 * base64url with an id and a secret. The node stores only the secret's hash.
 */
import { z } from 'zod';
import { canonical, fromHex, sha256, utf8 } from './canonical.ts';
import { SkeinError } from './errors.ts';
import { JSON_BOUNDS, readJson } from './foreign-json.ts';
import type { DeviceReport } from './resources/device.ts';

const PREFIX = 'skein-device_';

const DeviceInvitation = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  secret: z.string().regex(/^[0-9a-f]{64}$/),
});
export type DeviceInvitation = z.output<typeof DeviceInvitation>;

export function deviceInvitationText(invitation: DeviceInvitation): string {
  const base64 = btoa(JSON.stringify(invitation));
  return PREFIX + base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @throws SkeinError INVITATION_INVALID if the text is not a link that `skein edge invite` prints. */
export function deviceInvitationOf(
  link: string,
): DeviceInvitation & { readonly url: string; readonly proof: string } {
  try {
    if (link.length > 1000) throw new Error('not an invitation');
    const { origin, pathname, hash } = new URL(link);
    if (!hash.startsWith(`#${PREFIX}`)) throw new Error('not an invitation');
    const base64 = hash.slice(PREFIX.length + 1).replaceAll('-', '+');
    const text = atob(base64.replaceAll('_', '/'));
    const invitation = DeviceInvitation.parse(readJson(text, JSON_BOUNDS.frame));
    const { id, secret } = invitation;
    return { ...invitation, url: `${origin}${pathname}`, proof: `${id}.${secret}` };
  } catch (error) {
    throw new SkeinError(
      'INVITATION_INVALID',
      'The text is not an invitation of a device: copy the whole link that skein edge invite prints.',
      { cause: error },
    );
  }
}

export const hashOfDeviceSecret = (secret: string): Promise<string> => sha256(fromHex(secret));

/** The name of a device: it follows from its key. */
export async function deviceIdOf(key: string): Promise<string> {
  return (await sha256(fromHex(key))).slice(0, 16);
}

/** Signed to enrol: it proves the key, and binds it to the invitation. */
export function enrolmentBytes(invitation: string, key: string): Uint8Array<ArrayBuffer> {
  return utf8(`skein edge enrol\n${canonical({ invitation, key })}`);
}

export function reportBytes(
  device: string,
  sequence: number,
  report: DeviceReport,
): Uint8Array<ArrayBuffer> {
  return utf8(`skein edge report\n${canonical({ device, sequence, report })}`);
}
