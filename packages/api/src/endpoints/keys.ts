/** API keys. */
import { z } from 'zod';
import type { Endpoint } from '../endpoint.ts';
import { CreatedKeyView, KeyView, NewKey } from '../key.ts';

export const KEY_ENDPOINTS = {
  listKeys: {
    method: 'GET',
    path: '/api/v1/keys',
    group: 'Keys',
    summary: 'List the API keys, without their secrets.',
    scope: 'admin',
    status: 200,
    response: z.object({ keys: z.array(KeyView) }),
    errors: [],
    example: {},
  },
  createKey: {
    method: 'POST',
    path: '/api/v1/keys',
    group: 'Keys',
    summary: 'Make an API key; its secret is in this answer and nowhere else.',
    scope: 'admin',
    body: NewKey,
    status: 201,
    response: CreatedKeyView,
    errors: ['BODY_NOT_JSON', 'BODY_TOO_LARGE', 'ENCODING_UNSUPPORTED'],
    example: { body: { label: 'web shop', tenant: 'shop', scopes: ['infer'], ratePerSecond: 50 } },
  },
  revokeKey: {
    method: 'DELETE',
    path: '/api/v1/keys/{id}',
    group: 'Keys',
    summary: 'Revoke an API key; it stops working at once.',
    scope: 'admin',
    params: z.strictObject({ id: z.string().min(1).max(100).describe('Id of the key.') }),
    status: 204,
    errors: ['KEY_UNKNOWN'],
    example: { params: { id: '3f9c1e07ab52' } },
  },
} as const satisfies Record<string, Endpoint>;
