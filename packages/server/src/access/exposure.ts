/** Decides whether a node may be open: only if no other machine can reach it. */
import { SkeinError } from '@skein/api/errors';
import { isLoopback } from '@skein/http';
import type { AccessMode } from './access.ts';
import type { KeyView } from './contract.ts';

/**
 * Open on loopback unless keys are required; any other address requires keys.
 * @param hosts every address that the node will listen on.
 * @param wallNow milliseconds since 1970.
 * @throws SkeinError KEYS_REQUIRED if keys are required and none is valid.
 */
export function accessModeFor(
  hosts: readonly string[],
  requireKeys: boolean,
  keys: readonly KeyView[],
  wallNow: number,
): AccessMode {
  const exposed = hosts.find((host) => !isLoopback(host));
  if (exposed === undefined && !requireKeys) return 'open';
  if (!keys.some((key) => isValid(key, wallNow))) {
    throw new SkeinError(
      'KEYS_REQUIRED',
      exposed === undefined
        ? 'Keys are required, and the node has no valid API key.'
        : `Listening on ${exposed} reaches beyond this machine, and the node has no valid API key.`,
    );
  }
  return 'keys';
}

function isValid(key: KeyView, wallNow: number): boolean {
  return (
    key.revokedAt === undefined &&
    (key.expiresAt === undefined || Date.parse(key.expiresAt) > wallNow)
  );
}
