/** Reports inference requests that were refused before the serving plane, for metrics. */
import { SkeinError, type ErrorCode } from '@skein/api';

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
