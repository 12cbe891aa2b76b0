/** What a site signs with an answer. Runs in Node and in the browser. */
import type { Place } from '../transport/messages.ts';

export interface SignedAnswer {
  readonly run: string;
  /** Digest of the plan. */
  readonly plan: string;
  readonly place: Place;
  readonly fields: unknown;
  /** sha-256 of the payload in hex; absent without one. */
  readonly payload?: string | undefined;
}
