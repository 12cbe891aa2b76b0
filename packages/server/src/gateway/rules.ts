/** Rules of every face: readiness, access of readers, refusals before the serving plane. */
import { SkeinError, type ErrorCode } from '@skein/api';
import type { Inference } from '@skein/serving';
import type { Peer } from '@skein/http';
import type { Caller } from '../access/contract.ts';
import type { FaceAccess } from '../access/refused-logins.ts';

/** The protocol requires every model to be ready. */
export function isNodeReady(node: {
  readonly inference: Pick<Inference, 'list'>;
  readonly isAccepting: () => boolean;
}): boolean {
  return node.isAccepting() && node.inference.list().every((model) => model.ready);
}

/** Refusals of a caller that has the right. */
const LIMITS: ReadonlySet<ErrorCode> = new Set(['RATE_LIMITED', 'QUOTA_EXCEEDED']);

/**
 * A caller that may infer or read may read metadata.
 * @throws SkeinError KEY_MISSING, KEY_INVALID, SCOPE_MISSING, RATE_LIMITED, QUOTA_EXCEEDED.
 */
export function authorizeReader(
  access: FaceAccess,
  authorization: string | undefined,
  from: Peer | undefined,
): Caller {
  try {
    // A key that may only read is not a refused login.
    return (access.unrecorded ?? access).authorize(authorization, 'infer', from);
  } catch (error) {
    if (!(error instanceof SkeinError) || LIMITS.has(error.code)) throw error;
    return access.authorize(authorization, 'read', from);
  }
}

/** @param deployment an existing one; absent if the request named none or the name was not looked up. */
export type RefusalListener = (deployment: string | undefined, code: ErrorCode) => void;

/**
 * @param model as the client named it.
 * @param isKnown whether the model exists. A name from a client must not become a label.
 */
export function reportRefusal(
  listener: RefusalListener | undefined,
  model: string,
  isKnown: boolean,
  thrown: unknown,
): void {
  const code = thrown instanceof SkeinError ? thrown.code : 'INTERNAL';
  listener?.(isKnown || code === 'VERSION_UNKNOWN' ? model : undefined, code);
}
