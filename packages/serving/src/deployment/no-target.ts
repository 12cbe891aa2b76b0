/** Why a deployment has no version that a request could go to. */
import { SkeinError } from '@skein/api';
import type { DeployedModel } from '../contract.ts';
import { type Elsewhere, refuseElsewhere } from '../follow/elsewhere.ts';

/** A deployment that cannot start, or that was unloaded. */
export interface Stop {
  readonly status: 'failed' | 'unloaded';
  readonly reason: string;
}

/** The stored facts about a deployment without a version for the request. */
export interface Targetless {
  readonly name: string;
  readonly stopped: Stop | undefined;
  readonly elsewhere: Elsewhere | undefined;
  readonly restoring: DeployedModel | undefined;
  versions(): readonly string[];
}

/** Estimate of the loading time of a model that has not been loaded yet. */
const RESTORE_RETRY_MS = 1000;

/** @param version that the request is pinned to; undefined: any. */
export function noTarget(deployment: Targetless, version: string | undefined): SkeinError {
  const { name, stopped, elsewhere } = deployment;
  switch (stopped?.status) {
    case 'failed':
      return new SkeinError('NO_REPLICA', `Deployment "${name}" has failed to start.`);
    case 'unloaded':
      return unknownModel(name, 'has no available versions: it is unloaded');
  }
  if (elsewhere !== undefined) return refuseElsewhere(elsewhere);
  if (isRestoring(deployment, version)) {
    const message = `Deployment "${name}" is being restored.`;
    return new SkeinError('NO_REPLICA', message, { retryAfterMs: RESTORE_RETRY_MS });
  }
  if (version === undefined) {
    const message = `Deployment "${name}" has no version that takes traffic yet.`;
    return new SkeinError('NO_REPLICA', message);
  }
  const message = `Request for unknown model: '${name}' version ${version} is not found; it serves ${deployment.versions().join(', ')}.`;
  return new SkeinError('VERSION_UNKNOWN', message);
}

/** Whether it will serve the version, once it is restored after the start of the node. */
export function isRestoring(
  { restoring }: Pick<Targetless, 'restoring'>,
  version: string | undefined,
): boolean {
  return restoring !== undefined && (version === undefined || restoring.versions.includes(version));
}

/** Triton's clients look for the first words. */
export function unknownModel(name: string, why = 'is not found'): SkeinError {
  return new SkeinError('MODEL_UNKNOWN', `Request for unknown model: '${name}' ${why}.`);
}
