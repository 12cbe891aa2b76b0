/** What a node tells about itself. */
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
      .describe('`open`: anyone on this machine may call; `keys`: every call needs a key.'),
    draining: z.boolean().describe('The node finishes what it has and takes no new work.'),
  })
  .meta({ id: 'Node' });
export type NodeView = z.infer<typeof NodeView>;
