/**
 * An invitation as one line of text. Runs in Node and in the browser.
 *
 * `skein-join_` and JSON in base64url: the run, the coordinator's public key, and a secret. The
 * coordinator stores only the secret's hash, and takes it once.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api/errors';
import { z } from 'zod';
import { fromHex, sha256 } from '@skein/api/canonical';
import { Key } from '../transport/messages.ts';

const PREFIX = 'skein-join_';

const Invitation = z.strictObject({
  run: z.string().regex(/^[a-z0-9-]{1,64}$/),
  coordinator: Key,
  id: z.string().regex(/^[0-9a-f]{16}$/),
  secret: Key,
});
export type Invitation = z.output<typeof Invitation>;

export function invitationText(invitation: Invitation): string {
  const base64 = btoa(JSON.stringify(invitation));
  return PREFIX + base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @throws SkeinError INVITATION_INVALID if the text is not one. */
export function invitationOf(text: string): Invitation {
  try {
    if (!text.startsWith(PREFIX) || text.length > 1000) throw new Error('not an invitation');
    const base64 = text.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/');
    return Invitation.parse(readJson(atob(base64), JSON_BOUNDS.frame));
  } catch (error) {
    throw new SkeinError(
      'INVITATION_INVALID',
      'The text is not an invitation: copy the whole line that begins with skein-join_.',
      { cause: error },
    );
  }
}

/** The proof that the site sends: the id and the secret. */
export const proofOf = ({ id, secret }: Pick<Invitation, 'id' | 'secret'>): string =>
  `${id}.${secret}`;

/** @returns what is looked up. @throws SkeinError INVITATION_INVALID. */
export async function lookUpOf(proof: string): Promise<{ id: string; secretHash: string }> {
  const [, id, secret] = /^([0-9a-f]{16})\.([0-9a-f]{64})$/.exec(proof) ?? [];
  if (id === undefined || secret === undefined) {
    throw new SkeinError('INVITATION_INVALID', 'The invitation is not one of this protocol.');
  }
  return { id, secretHash: await hashOfSecret(secret) };
}

export const hashOfSecret = (secret: string): Promise<string> => sha256(fromHex(secret));
