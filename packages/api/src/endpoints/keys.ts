/** API keys. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import { CreatedKeyView, KeyDetailsView, KeyView, NewKey } from '../resources/key.ts';

const KeyParam = z.strictObject({ id: z.string().min(1).max(100).describe('Id of the key.') });

export const KEY_ENDPOINTS = {
  listKeys: {
    method: 'GET',
    path: '/api/v1/keys',
    summary: 'List the API keys, without their secrets.',
    scope: 'admin',
    response: z.object({ keys: z.array(KeyView) }),
  },
  createKey: {
    method: 'POST',
    path: '/api/v1/keys',
    summary: 'Create an API key; only this response contains its secret.',
    scope: 'admin',
    body: NewKey,
    status: 201,
    response: CreatedKeyView,
    errors: ['STORAGE_FULL', 'KEYS_TOO_MANY'],
    example: { body: { label: 'web shop', tenant: 'shop', scopes: ['infer'], ratePerSecond: 50 } },
  },
  getKey: {
    method: 'GET',
    path: '/api/v1/keys/{id}',
    summary: 'Show one API key, and the shared resources that its tenant holds.',
    scope: 'admin',
    params: KeyParam,
    response: KeyDetailsView,
    errors: ['KEY_UNKNOWN'],
    example: { params: { id: '3f9c1e07ab52' } },
  },
  revokeKey: {
    method: 'DELETE',
    path: '/api/v1/keys/{id}',
    summary: 'Revoke an API key; it stops working at once.',
    description:
      'It works also when the disk is full: the response is then `REVOCATION_NOT_DURABLE`, the key is refused, and the node writes the revocation as soon as it can.',
    scope: 'admin',
    params: KeyParam,
    errors: ['KEY_UNKNOWN', 'REVOCATION_NOT_DURABLE'],
    example: { params: { id: '3f9c1e07ab52' } },
  },
} as const satisfies Record<string, NodeEndpoint>;
