/** Rules of the protocol, the same over HTTP and gRPC. */
import { SkeinError } from '@skein/api';
import type { Inference } from '@skein/serving';
import type { Peer } from '@skein/http';
import type { Caller } from '../access/contract.ts';
import type { FaceAccess } from '../access/refused-logins.ts';
import { brief } from './oip/tensor-bytes.ts';

/** The protocol requires every model to be ready. */
export function isNodeReady(node: {
  readonly inference: Pick<Inference, 'list'>;
  readonly isAccepting: () => boolean;
}): boolean {
  return node.isAccepting() && node.inference.list().every((model) => model.ready);
}

/**
 * A caller that may infer or read may read metadata.
 * @throws SkeinError KEY_MISSING, KEY_INVALID, SCOPE_MISSING, RATE_LIMITED.
 */
export function authorizeReader(
  access: FaceAccess,
  authorization: string | undefined,
  from: Peer | undefined,
): Caller {
  try {
    // A key that may only read is not a refused login.
    return (access.unrecorded ?? access).authorize(authorization, 'infer');
  } catch (error) {
    if (!(error instanceof SkeinError) || error.code === 'RATE_LIMITED') throw error;
    return access.authorize(authorization, 'read', from);
  }
}

/**
 * Triton lets a load replace the model's configuration or files; Skein deploys the stored version.
 * @throws SkeinError REQUEST_INVALID.
 */
export function refuseModelConfig(parameters: unknown): void {
  const names =
    typeof parameters === 'object' && parameters !== null ? Object.keys(parameters) : [];
  const foreign = names.find((name) => name === 'config' || name.startsWith('file:'));
  if (foreign === undefined) return;
  throw new SkeinError(
    'REQUEST_INVALID',
    `The load parameter ${brief(foreign)} is not supported; deploy the model with its settings through the management API.`,
  );
}
