/** Models and their immutable versions, as the API shows them. */
import { z } from 'zod';
import { Name, SignatureView } from './deployment.ts';

export const Metadata = z
  .record(z.string().min(1).max(64), z.string().max(1024))
  .refine((entries) => Object.keys(entries).length <= 32, 'must have at most 32 entries')
  .describe('Free text by key, kept with the version.');

export const VersionView = z
  .object({
    model: Name,
    version: z.string().describe('Counts up from "1" per model.'),
    kind: z.enum(['onnx', 'composition']),
    digest: z.string().describe('sha-256 of the artifact, in hex.'),
    sizeBytes: z.int(),
    signature: SignatureView,
    metadata: z.record(z.string(), z.string()),
    createdAt: z.string().describe('ISO 8601, UTC.'),
  })
  .meta({ id: 'Version' });
export type VersionView = z.infer<typeof VersionView>;

export const ModelView = z
  .object({
    name: Name,
    versions: z.array(z.string()).describe('Oldest first.'),
    latest: VersionView,
    deployed: z.boolean().describe('Whether a deployment of this name receives traffic.'),
  })
  .meta({ id: 'Model' });
export type ModelView = z.infer<typeof ModelView>;
