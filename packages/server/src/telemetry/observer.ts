/** Combines several observers; nothing is allocated per call. */
import type { ServingObserver } from '@skein/serving';

/** Every observer gets every event, in order. An observer that throws is a bug, and stops the ones after it. */
export function combineObservers(observers: readonly ServingObserver[]): ServingObserver {
  const [only] = observers;
  if (observers.length === 1 && only !== undefined) return only;
  return {
    answered(request, answer, finishedAt) {
      for (const observer of observers) observer.answered(request, answer, finishedAt);
    },
    refused(request, error, at) {
      for (const observer of observers) observer.refused(request, error, at);
    },
    batchRan(deployment, version, rows, times) {
      for (const observer of observers) observer.batchRan(deployment, version, rows, times);
    },
    replicaChanged(deployment, version, replica) {
      for (const observer of observers) observer.replicaChanged(deployment, version, replica);
    },
    scaled(step) {
      for (const observer of observers) observer.scaled?.(step);
    },
  };
}
