/** Refusals of inference requests that the serving plane has never seen, for whoever counts them. */
import { SkeinError, type ErrorCode } from '@skein/api';

/** @param deployment one that exists; absent when the request named none, or nobody could look. */
export type RefusalListener = (deployment: string | undefined, code: ErrorCode) => void;

/**
 * @param model as the client named it.
 * @param isKnown whether it has been seen to exist. What a client makes up must not become a label.
 */
export function tellRefusal(
  listener: RefusalListener | undefined,
  model: string,
  isKnown: boolean,
  thrown: unknown,
): void {
  const code = thrown instanceof SkeinError ? thrown.code : 'INTERNAL';
  listener?.(isKnown || code === 'VERSION_UNKNOWN' ? model : undefined, code);
}
