/**
 * Bounds what the bodies of all requests in flight take together, over both faces. Each body alone
 * has its own limit, but a hundred of the largest would still take gigabytes.
 *
 * A body counts from its first byte until its request is answered, because its tensors are views on
 * it. Only bytes that have arrived count: a request that announces a large body and sends nothing
 * refuses no other request.
 */
import { SkeinError } from '@skein/api';
import { usableMemoryBytes } from '@skein/api/machine';
import { SharedBudget, type ShareOf } from '@skein/api/shared-budget';

/** Tensors made of JSON take up to four times the memory of their text, in addition to the text. */
const SHARE_OF_MEMORY = 1 / 8;
/** A tenant may hold half of the budget, and one body of the largest size must fit into that. */
const LARGEST_BODIES = 2;
const COUNTED_PART = 3 / 4;
/** Retry time: most bodies of this size are answered or rejected within it. */
const RETRY_MS = 1000;

/** @param maxBytes of all tenants together. @param shareOf default: one tenant may hold all of it. */
export function bodyBudget(maxBytes: number, shareOf?: ShareOf): SharedBudget {
  return new SharedBudget({
    name: 'bodies',
    unit: 'bytes',
    max: maxBytes,
    ...(shareOf === undefined ? {} : { shareOf }),
    refuse: ({ amount, heldByTenant, tenantLimit, held, max }) =>
      new SkeinError(
        'BODIES_TOO_LARGE',
        `Bodies of ${held} bytes are in flight, ${heldByTenant} of them of this tenant, and ${amount} more would exceed the ${tenantLimit} that it may hold of the node's ${max}.`,
        { retryAfterMs: RETRY_MS },
      ),
  });
}

/**
 * The part of the memory for bodies that is counted. The rest is for what is not: bytes that wait for V8's next
 * collection, what the C library keeps, what a run or a codec takes while it lasts. A node whose counted bodies
 * were 1.3 GiB took up to 0.3 GiB more (`bench/src/limits`).
 *
 * @param maxBytes that requests may make the node hold.
 */
export function countedBytes(maxBytes: number, maxBodyBytes: number): number {
  const counted = Math.floor(maxBytes * COUNTED_PART);
  // One body of the largest size must fit into the share of a tenant.
  return Math.max(counted, Math.min(maxBytes, LARGEST_BODIES * maxBodyBytes));
}

/** A fraction of the memory that this process may use, and at least two bodies of the largest size. */
export function defaultBodyBudget(maxBodyBytes: number): number {
  return Math.max(LARGEST_BODIES * maxBodyBytes, Math.floor(usableMemoryBytes() * SHARE_OF_MEMORY));
}
