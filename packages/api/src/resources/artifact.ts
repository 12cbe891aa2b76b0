/** Artifacts: immutable content, named by its sha-256. */
import { z } from 'zod';

export const Digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a sha-256 in hex')
  .describe('sha-256 of an artifact, in hex.');

export const ArtifactView = z
  .object({ digest: Digest, sizeBytes: z.int().min(0) })
  .meta({ id: 'Artifact' });
export type ArtifactView = z.infer<typeof ArtifactView>;
