/** The node itself: its state, its events, its audit trail, its error table. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import { NodeEvent } from '../resources/event.ts';
import { NodeView } from '../resources/node.ts';
import { AuditView } from '../resources/record.ts';
import { Before, Limit } from './parameters.ts';

export const NODE_ENDPOINTS = {
  getNode: {
    method: 'GET',
    path: '/api/v1/node',
    summary: 'Show the version, the load and the state of the node.',
    scope: 'read',
    response: NodeView,
  },
  adoptStore: {
    method: 'POST',
    path: '/api/v1/node/adopt-store',
    summary: 'Adopt the contents of the fleet’s store, although they contradict the node’s copy.',
    description:
      'For a node that is `frozen`, once the contents of the store are right: after it was restored from a backup, or has lost writes in a failover. Call each frozen node. On a node that is not frozen it changes nothing.',
    scope: 'admin',
    response: NodeView,
    errors: ['STORE_UNREACHABLE'],
  },
  streamEvents: {
    method: 'GET',
    path: '/api/v1/events',
    summary: 'Stream the events of the node as server-sent events.',
    description:
      'Opens with every deployment as it is, then sends changes. `history` events carry an id: reconnect with `Last-Event-ID` to receive all of them. A reader that is too slow gets fewer, newer snapshots; decisions are never skipped. When the key is revoked or expires, the stream ends with the event `error`, which holds the body of a refused request.',
    scope: 'read',
    events: NodeEvent,
    eventsAre:
      'A stream of events: the `event` field is `type`, the `data` field is `data` as JSON.',
  },
  listErrors: {
    method: 'GET',
    path: '/api/v1/errors',
    summary: 'List every error code with its meaning and its fix.',
    scope: 'read',
    response: z.object({
      errors: z.array(
        z
          .object({
            code: z.string(),
            http: z.int(),
            grpc: z.int(),
            kind: z
              .enum(['user', 'load', 'fault'])
              .describe(
                '`user`: the request must change. `load`: the same request may succeed later. `fault`: a fault of Skein.',
              ),
            meaning: z.string(),
            fix: z.string(),
            retryMs: z
              .int()
              .optional()
              .describe(
                'Wait before the same request is worth another try, in milliseconds, where the refusal computes none.',
              ),
          })
          .meta({ id: 'ErrorRow' }),
      ),
    }),
  },
  listAudit: {
    method: 'GET',
    path: '/api/v1/audit',
    summary: 'List the changes and their callers, newest first.',
    scope: 'admin',
    query: z.strictObject({
      limit: Limit,
      before: Before,
    }),
    response: z.object({ entries: z.array(AuditView) }),
    example: { query: { limit: '20' } },
  },
} as const satisfies Record<string, NodeEndpoint>;
