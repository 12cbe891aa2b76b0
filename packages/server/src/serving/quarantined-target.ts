/**
 * A version of a model with a quarantine in front: what it tells its observer says which requests
 * have ended replicas, and those are not let in again.
 */
import type {
  Clock,
  InferenceAnswer,
  InferenceRequest,
  ServingObserver,
  Target,
  TargetRequest,
  TargetSnapshot,
} from './contract.ts';
import { ReplicaLost } from './dispatch/pending.ts';
import { Quarantine } from './quarantine.ts';

/** @param make gets the observer that the target has to tell. */
export function quarantinedTarget(
  version: string,
  clock: Clock,
  observer: ServingObserver,
  make: (observer: ServingObserver) => Target,
): Target {
  const quarantine = new Quarantine(version, clock);
  let refused = 0;

  const target = make({
    answered: (request, answer, at) => observer.answered(request, answer, at),
    batchRan: (...run) => observer.batchRan(...run),
    replicaChanged: (...change) => observer.replicaChanged(...change),
    refused(request: InferenceRequest, error, at) {
      if (error instanceof ReplicaLost) quarantine.blame(request.inputs, error.ended);
      observer.refused(request, error, at);
    },
  });

  return {
    kind: target.kind,
    version: target.version,
    signature: target.signature,
    get maxBatchRows() {
      return target.maxBatchRows;
    },
    submit(request: TargetRequest): Promise<InferenceAnswer> {
      const refusal = quarantine.refusal(request.inputs);
      if (refusal === undefined) return target.submit(request);
      refused++;
      observer.refused(request, refusal, clock.now());
      return Promise.reject(refusal);
    },
    snapshot(): TargetSnapshot {
      const snapshot = target.snapshot();
      if (refused === 0) return snapshot;
      return {
        ...snapshot,
        arrivedRequests: snapshot.arrivedRequests + refused,
        refused: { ...snapshot.refused, REQUEST_QUARANTINED: refused },
      };
    },
    scaleTo: (count) => target.scaleTo(count),
    whenReady: () => target.whenReady(),
    drain: () => target.drain(),
  };
}
