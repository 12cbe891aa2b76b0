import type { ManagementOptions } from '../contract.ts';
import type { Handlers } from '../handler.ts';

type Artifacts = Pick<Handlers, 'uploadArtifact' | 'getArtifact' | 'downloadArtifact'>;

/** What is uploaded may be as large as the limit of the listener allows. */
export function artifactHandlers({
  artifacts,
  limits,
}: Pick<ManagementOptions, 'artifacts' | 'limits'>): Artifacts {
  const maxBytes = limits?.maxUploadBytes ?? 2 ** 31;
  return {
    uploadArtifact: ({ content }) => artifacts.put(content, maxBytes),
    getArtifact: async ({ params: { digest } }) => ({
      digest,
      sizeBytes: await artifacts.sizeOf(digest),
    }),
    async downloadArtifact({ params: { digest } }) {
      const sizeBytes = await artifacts.sizeOf(digest);
      return { sizeBytes, content: artifacts.read(digest) };
    },
  };
}
