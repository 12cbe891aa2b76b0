/**
 * A version of a model behind a quarantine: the target's events identify the requests that have
 * ended replicas, and those are refused from then on.
 */
import type {
  Clock,
  InferenceAnswer,
  InferenceRequest,
  Prediction,
  ServingObserver,
  Target,
  TargetRequest,
  TargetSnapshot,
} from '../contract.ts';
import { ReplicaLost } from '../dispatch/loop/pending.ts';
import { predict } from '../deployment/live-target.ts';
import { Quarantine } from './quarantine.ts';
import { TenantPenalties } from './tenant-penalties.ts';

/** @param make gets the observer and the penalties that the target must notify. */
export function quarantinedTarget(
  version: string,
  clock: Clock,
  observer: ServingObserver,
  make: (observer: ServingObserver, penalties: TenantPenalties) => Target,
): Target {
  const quarantine = new Quarantine(version, clock);
  const penalties = new TenantPenalties(version, clock);
  const refused: Record<string, number> = {};
  let refusals = 0;

  const notified: ServingObserver = {
    answered: (request, answer, at) => observer.answered(request, answer, at),
    batchRan: (...run) => observer.batchRan(...run),
    replicaChanged: (...change) => observer.replicaChanged(...change),
    refused(request: InferenceRequest, error, at) {
      if (error instanceof ReplicaLost) quarantine.blame(request.inputs, error.ended);
      observer.refused(request, error, at);
    },
  };
  const target = make(notified, penalties);

  return {
    kind: target.kind,
    version: target.version,
    signature: target.signature,
    get maxBatchRows() {
      return target.maxBatchRows;
    },
    submit(request: TargetRequest): Promise<InferenceAnswer> {
      const refusal = quarantine.refusal(request.inputs) ?? penalties.refusal(request.tenant);
      if (refusal === undefined) return target.submit(request);
      refused[refusal.code] = (refused[refusal.code] ?? 0) + 1;
      refusals++;
      observer.refused(request, refusal, clock.now());
      return Promise.reject(refusal);
    },
    predict(request: TargetRequest): Prediction {
      const refusal = penalties.refusal(request.tenant);
      return refusal === undefined ? predict(target, request, clock.now()) : { refusal };
    },
    snapshot(): TargetSnapshot {
      const snapshot = target.snapshot();
      if (refusals === 0) return snapshot;
      return {
        ...snapshot,
        arrivedRequests: snapshot.arrivedRequests + refusals,
        refused: { ...snapshot.refused, ...refused },
      };
    },
    scaleTo: (count) => target.scaleTo(count),
    whenReady: () => target.whenReady(),
    drain: (by) => target.drain(by),
  };
}
