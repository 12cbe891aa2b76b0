/**
 * Copies a share of the requests to a version that does not answer them, and compares its outputs
 * with the given answers. The answer never waits for it: the copy is made before the request is
 * submitted, and the comparison happens after the answer was returned.
 *
 * The number of pending copies is bounded, so that a slow version cannot exhaust the memory; a
 * request beyond the bound is not copied.
 */
import type { InferenceAnswer, InferenceRequest, Target, TargetRequest } from '../contract.ts';
import { Cancellation } from '../contract.ts';
import { outputDifference } from './output-difference.ts';
import type { Comparison } from './judge.ts';
import { copyTensors } from '../cache/tensor-copy.ts';

const MAX_WAITING = 64;

/** Marks the copy of a request, which has no waiting caller: it counts for its version, not for its deployment. */
export interface ShadowRequest extends TargetRequest {
  readonly shadow: true;
}

export function isShadow(request: InferenceRequest): boolean {
  return (request as Partial<ShadowRequest>).shadow === true;
}

export interface Shadow {
  /** Share of the requests that is copied, 0 to 1. */
  share: number;
  /**
   * Copies the request, if it is in the share, before it is submitted.
   * @param answering the target of the request; the shadow is not compared with itself.
   */
  copyOf(request: TargetRequest, answering: Target): ShadowRequest | undefined;
  /** Submits a copy, and compares its outputs with `answer`'s when both are available. Never rejects. */
  compare(copy: ShadowRequest, answer: Promise<InferenceAnswer>): Promise<void>;
  readonly comparison: Comparison;
}

/**
 * @param tolerance differences up to this count as equal; default 0.
 * @param random in [0, 1).
 */
export function createShadow(
  target: Target,
  tolerance: number | undefined,
  random: () => number,
): Shadow {
  let waiting = 0;
  let compared = 0;
  let differing = 0;
  let maxDifference = 0;

  return {
    share: 0,
    copyOf(request, answering) {
      if (answering === target || random() >= this.share) return undefined;
      if (waiting >= MAX_WAITING) return undefined;
      return {
        ...request,
        version: target.version,
        inputs: copyTensors(request.inputs),
        memory: undefined,
        // A disconnect of the client does not cancel the shadow.
        cancellation: new Cancellation(),
        shadow: true,
      };
    },
    async compare(copy, answer) {
      waiting++;
      // Registered before the caller gets the answer, so it runs before the caller can transfer it.
      const given = answer.then(({ outputs }) => copyTensors(outputs));
      const [expected, actual] = await Promise.allSettled([given, target.submit(copy)]);
      waiting--;
      // The shadow's target counts its failure; without two answers there is no comparison.
      if (expected.status !== 'fulfilled' || actual.status !== 'fulfilled') return;
      const difference = outputDifference(expected.value, actual.value.outputs);
      compared++;
      if (difference > (tolerance ?? 0)) differing++;
      if (difference > maxDifference) maxDifference = difference;
    },
    get comparison() {
      return { compared, differing, maxDifference };
    },
  };
}
