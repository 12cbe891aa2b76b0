/** Which key a method needs, and the data of an admitted call. */
import type { Metadata } from '@grpc/grpc-js';
import type { BudgetHold } from '@skein/api/shared-budget';
import type { Peer } from '@skein/http';
import type { Caller } from '../../access/contract.ts';
import { authorizeReader } from '../rules.ts';
import type { FaceAccess } from '../../access/refused-logins.ts';

/** `reader`: a key that may infer or read. */
export type Needs = 'nothing' | 'reader' | 'infer' | 'read' | 'admin';

export interface CallRule {
  readonly needs: Needs;
  /** Whether its messages carry tensors; other messages are small. */
  readonly tensors: boolean;
}

/** @returns absent if the method needs no key. @throws SkeinError as `Access.authorize` does. */
export function authorizeCall(
  access: FaceAccess,
  needs: Needs,
  metadata: Metadata,
  peer: Peer,
): Caller | undefined {
  if (needs === 'nothing') return undefined;
  const authorization = first(metadata, 'authorization');
  return needs === 'reader'
    ? authorizeReader(access, authorization, peer)
    : access.authorize(authorization, needs, peer);
}

/** A call with its caller, for its handler. */
export interface AdmittedCall {
  /** Absent if no key is needed. */
  readonly caller: Caller | undefined;
  /** Counts memory for decoded data beyond the message. @throws SkeinError BODIES_TOO_LARGE, CANCELLED. */
  take(bytes: number): void;
  give(bytes: number): void;
  /** @throws SkeinError BODIES_TOO_LARGE when its tenant may not hold an answer of this size. */
  checkAnswer(bytes: number): void;
  /** Counts for its tenant what the call does not release. */
  newHold(): BudgetHold;
  /** Releases the oldest message of a stream, whose answer ended without a message of its own. */
  answered(): void;
}

/**
 * Where the metadata of a call has its admission: the library creates one object per call and passes
 * it to the handler. Not a WeakMap: V8's scavenger keeps its values, so that every call would live
 * until the next collection of the old generation.
 */
const ADMITTED = Symbol('admitted');

type AdmittedMetadata = Metadata & { [ADMITTED]?: AdmittedCall };

export function admit(metadata: AdmittedMetadata, call: AdmittedCall): void {
  metadata[ADMITTED] = call;
}

export function admittedCall(metadata: AdmittedMetadata): AdmittedCall {
  const call = metadata[ADMITTED];
  if (call === undefined) throw new Error('The call was not admitted.');
  return call;
}

/** @throws Error for a method that needs no key. */
export function callerOf(metadata: Metadata): Caller {
  const { caller } = admittedCall(metadata);
  if (caller === undefined) throw new Error('The method needs no key, so it has no caller.');
  return caller;
}

export function first(metadata: Metadata, name: string): string | undefined {
  return metadata.get(name)[0]?.toString();
}
