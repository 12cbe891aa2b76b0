/** A deployment that other members hold. This node describes it, and refuses its requests, so that they go there. */
import { SkeinError } from '@skein/api';
import type { DeployedModel } from '../contract.ts';
import type { Place } from './placing.ts';

export interface Elsewhere {
  readonly model: DeployedModel;
  readonly place: Place;
}

/** How soon a member may have loaded it, in milliseconds. */
const RETRY_MS = 1000;

/** A version that the model does not name may still be on the members that hold it. */
export function describeElsewhere(
  { model, place }: Elsewhere,
  version: string | undefined,
): DeployedModel {
  const isKnown = version === undefined || model.versions.includes(version);
  return { ...model, ready: place.others > 0 && isKnown };
}

export function refuseElsewhere({ model, place }: Elsewhere): SkeinError {
  const { others, reason } = place;
  const holders = others === 0 ? 'no member now' : `${others} other members`;
  const where = `Deployment "${model.name}" is held by ${holders}: ${reason}.`;
  return new SkeinError('NO_REPLICA', where, { retryAfterMs: RETRY_MS });
}
