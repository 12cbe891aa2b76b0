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
    draining: z.boolean().describe('The node finishes its requests and accepts no new work.'),
  })
  .meta({ id: 'Node' });
export type NodeView = z.infer<typeof NodeView>;
