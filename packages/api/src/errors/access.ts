/** Errors of keys, scopes, origins and rates. */
import { type ErrorRow, FORBIDDEN, OVER_LIMIT, UNAUTHENTICATED } from './row.ts';

export const ACCESS_ERRORS = {
  KEY_MISSING: {
    ...UNAUTHENTICATED,
    meaning: 'The node requires an API key, and none was sent.',
    fix: 'Send `Authorization: Bearer KEY`, or give commands --key or SKEIN_KEY; `skein keys create` makes one. It needs a key of the scope admin, or the data folder of a stopped node.',
  },
  KEY_INVALID: {
    ...UNAUTHENTICATED,
    meaning: 'The API key is unknown, revoked or expired.',
    fix: 'Ask for a new key; `skein keys create` makes one. It needs a key of the scope admin, or the data folder of a stopped node.',
  },
  SCOPE_MISSING: {
    ...FORBIDDEN,
    meaning: 'The API key does not have the scope that this call needs.',
    fix: 'Use a key with the scope that the message names.',
  },
  ORIGIN_FORBIDDEN: {
    ...FORBIDDEN,
    meaning:
      'A browser page of another origin, or one under a foreign name, called a node that is open without keys.',
    fix: 'Call from the node’s own page, or start the node with keys and allow the origin.',
  },
  RATE_LIMITED: {
    ...OVER_LIMIT,
    meaning: 'The tenant sent more requests per second than its limit.',
    fix: 'Wait for Retry-After, or use a key with a higher limit: `skein keys create --rate N`.',
    retryMs: 1000,
  },
  QUOTA_EXCEEDED: {
    ...OVER_LIMIT,
    meaning:
      'The tenant has reached its limit of waiting requests, or its share of those in flight or of event streams.',
    fix: 'Wait for Retry-After, or use a key with a higher limit, `skein keys create --max-concurrent N`; for connections, start the node with larger --max-connections.',
    retryMs: 1000,
  },
} as const satisfies Record<string, ErrorRow>;
