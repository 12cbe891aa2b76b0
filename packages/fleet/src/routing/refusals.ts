/**
 * Requests that one member has refused for lack of capacity, with the time that it named for a retry. A similar
 * request before that time would cost both nodes the way there and back; where it is the only other
 * member, with its tensors.
 */
import { elementCount } from '@skein/onnx';
import type { InferenceRequest, Instant } from '@skein/serving';
import { HOLD_OFF } from '../tuning.ts';

interface Refused {
  readonly until: Instant;
  /** Milliseconds that the refused request had. */
  readonly leftMs: number;
  /** Elements of its inputs. */
  readonly elements: number;
}

export class Refusals {
  readonly #refused = new Map<string, Refused>();

  /** @param leftMs to the deadline. @param retryAfterMs that the member named. */
  note(request: InferenceRequest, now: Instant, leftMs: number, retryAfterMs: number): void {
    if (this.#refused.size >= HOLD_OFF.kinds) this.#refused.clear();
    const until = now + Math.min(retryAfterMs, HOLD_OFF.longestMs);
    this.#refused.set(kindOf(request), { until, leftMs, elements: elementsOf(request) });
  }

  /** Whether it would refuse this one, too: one of its kind, no smaller, with no more time. */
  expects(request: InferenceRequest, now: Instant, leftMs: number): boolean {
    const refused = this.#refused.get(kindOf(request));
    return (
      refused !== undefined &&
      now + Math.max(0, leftMs - refused.leftMs) < refused.until &&
      elementsOf(request) >= refused.elements
    );
  }
}

/** Requests that queue alike. */
function kindOf({ deployment, version, tenant, priority }: InferenceRequest): string {
  return JSON.stringify([deployment, version, tenant, priority]);
}

function elementsOf({ inputs }: InferenceRequest): number {
  let elements = 0;
  for (const { shape } of inputs.values()) elements += elementCount(shape);
  return elements;
}
