/**
 * A key that a platform gives to a node, such as in a secret of Kubernetes or Cloud Run. Every node of a
 * fleet is given the same one, and the first adds it to the state, so that no command must run before the
 * first start. Its record is like any other: once it is revoked, it stays so.
 */
import { hash } from 'node:crypto';
import { SkeinError } from '@skein/api/errors';
import { idOfToken } from '@skein/http';
import type { KeyRecord, State } from '@skein/state';

export interface GivenKey {
  readonly token: string;
  /** `read` suffices for Prometheus. */
  readonly scope: 'admin' | 'read';
}

/** @throws SkeinError USAGE if the token is malformed, or its id belongs to another key. */
export async function admitGivenKey(
  state: Pick<State, 'addKey' | 'keys' | 'addAudit'>,
  { token, scope }: GivenKey,
): Promise<void> {
  const id = idOfToken(token);
  // The message must not repeat the value: it is a secret, or most of one.
  if (id === undefined) {
    throw new SkeinError(
      'USAGE',
      `The given ${scope} key, in SKEIN_${scope.toUpperCase()}_KEY, is malformed: it is skein_, 12 digits from 0-9a-f, _, and 43 of A-Z a-z 0-9 - _. \`skein keys generate\` makes one.`,
    );
  }
  const secretHash = hash('sha256', token);
  if (await isKnown(state, id, secretHash)) return;
  const record: KeyRecord = {
    id,
    secretHash,
    label: 'given at the start of a node',
    tenant: 'default',
    scopes: [scope],
    createdAt: new Date().toISOString(),
  };
  try {
    await state.addKey(record);
  } catch (error) {
    // Another node was given the same key and was first.
    if (await isKnown(state, id, secretHash)) return;
    throw error;
  }
  const change = { actor: 'skein', action: 'createKey', subject: id, outcome: 'ok' };
  await state.addAudit({ ...change, remote: 'environment' });
}

async function isKnown(
  state: Pick<State, 'keys'>,
  id: string,
  secretHash: string,
): Promise<boolean> {
  const known = (await state.keys()).find((key) => key.id === id);
  if (known === undefined) return false;
  if (known.secretHash === secretHash) return true;
  throw new SkeinError(
    'USAGE',
    `The given key has the id ${id}, which belongs to another key. Give the node a new one.`,
  );
}
