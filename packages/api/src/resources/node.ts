/** The state of a node. */
import { z } from 'zod';

export const NodeView = z
  .object({
    version: z.string().describe('Version of Skein.'),
    startedAt: z.string().describe('ISO 8601, UTC.'),
    uptimeMs: z.number(),
    cores: z.int().describe('Cores that replicas may use.'),
    coresInUse: z.int().describe('Sum of threads over all live replicas.'),
    ports: z.object({ http: z.int(), grpc: z.int().nullable() }),
    dataFolder: z.string(),
    access: z
      .enum(['open', 'keys'])
      .describe('`open`: every process on this machine may call; `keys`: every call needs a key.'),
    store: z
      .object({
        state: z
          .enum(['current', 'away', 'frozen'])
          .describe(
            '`away`: the store does not answer, and the node serves from its copy. `frozen`: the store contradicts the node’s copy, and the node takes nothing from it until an operator adopts it.',
          ),
        since: z.string().optional().describe('ISO 8601, UTC.'),
        reason: z.string().optional(),
        asOf: z.string().describe('When the store last confirmed the whole of the node’s copy.'),
      })
      .optional()
      .describe('How the node stands to the store of its fleet; absent: it is in none.'),
    draining: z.boolean().describe('The node finishes its requests and accepts no new work.'),
  })
  .meta({ id: 'Node' });
export type NodeView = z.infer<typeof NodeView>;
