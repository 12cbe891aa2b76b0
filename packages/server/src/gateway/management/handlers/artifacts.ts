import type { Caller } from '../../../access/contract.ts';
import { seesAll } from '../job-names.ts';
import type { ManagementOptions, NodeHandlers } from '../options.ts';

/**
 * An upload may be as large as the limit of the listener. A tenant can read its own uploads and the
 * outputs of its jobs; for any other digest it gets ARTIFACT_UNKNOWN.
 */
export function artifactHandlers({
  artifacts,
  holdings,
  limits,
}: Pick<ManagementOptions, 'artifacts' | 'holdings' | 'limits'>) {
  const maxBytes = limits?.maxUploadBytes ?? 2 ** 31;
  async function sizeFor(caller: Caller, digest: string): Promise<number> {
    if (!seesAll(caller)) await holdings.requireHeld(caller.tenant, [digest]);
    return artifacts.sizeOf(digest);
  }
  return {
    uploadArtifact: ({ caller, content }) => holdings.of(caller.tenant).put(content, maxBytes),
    getArtifact: async ({ caller, params: { digest } }) => ({
      digest,
      sizeBytes: await sizeFor(caller, digest),
    }),
    async downloadArtifact({ caller, params: { digest } }) {
      const sizeBytes = await sizeFor(caller, digest);
      return { sizeBytes, content: artifacts.read(digest) };
    },
  } satisfies Partial<NodeHandlers>;
}
