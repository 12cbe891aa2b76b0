/** What a request that failed in a run of its own is answered with. */
import { SkeinError } from '@skein/api';
import { RuntimeFailure, withCulprit } from '@skein/runtime';
import type { TargetRequest } from '../../contract.ts';

export function runError(error: unknown, { id, inputs }: TargetRequest): SkeinError {
  if (error instanceof RuntimeFailure) {
    const { kind, message } = error;
    if (kind === 'memory') return new SkeinError('MODEL_MEMORY', message, { cause: error });
    if (kind === 'run') {
      return new SkeinError('INPUT_REJECTED', withCulprit(message, inputs), { cause: error });
    }
  }
  return new SkeinError('INTERNAL', `Request ${id} could not be run.`, { cause: error });
}
